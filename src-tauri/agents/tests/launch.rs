//! What exactly is started, per dialect: argv, environment, files.

use std::collections::BTreeMap;
use std::path::Path;

use agents::{AnswerShape, Hook, Launch, LaunchRequest, McpServer, ProjectConfig, launch};
use domain::{AgentInfo, AgentSettings, Dialect, Role};

fn agent(dialect: Dialect) -> AgentInfo {
    AgentInfo {
        name: dialect.as_str().into(),
        dialect,
        program: format!("/opt/{}", dialect.as_str()),
        leading_args: Vec::new(),
        version: String::new(),
        demo: false,
    }
}

fn environment() -> BTreeMap<String, String> {
    let names = "PATH HOME LC_ALL TERM SSH_AUTH_SOCK GITHUB_TOKEN AWS_SECRET_ACCESS_KEY ANTHROPIC_API_KEY \
                 OPENAI_API_KEY GEMINI_API_KEY CODEX_HOME CLAUDECODE IS_SANDBOX GEMINI_CLI_TRUST_WORKSPACE \
                 ORCHESTRATE_DEMO_STATE MY_PROXY_KEY";
    names.split_whitespace().map(|name| (name.to_owned(), format!("value of {name}"))).collect()
}

/// What a request is made of, owned.
struct Given {
    agent: AgentInfo,
    settings: AgentSettings,
    env: BTreeMap<String, String>,
    extra_dirs: Vec<String>,
    resume: Option<&'static str>,
    mcp: Option<McpServer>,
    hook: Option<Hook>,
    user_settings: Option<&'static str>,
    project: ProjectConfig,
    full: bool,
    root_consented: bool,
}

fn given(dialect: Dialect) -> Given {
    Given {
        agent: agent(dialect),
        settings: AgentSettings::default(),
        env: environment(),
        extra_dirs: Vec::new(),
        resume: None,
        mcp: None,
        hook: None,
        user_settings: None,
        project: ProjectConfig::default(),
        full: false,
        root_consented: false,
    }
}

fn start(given: &Given) -> Launch {
    launch(&LaunchRequest {
        agent: &given.agent,
        settings: &given.settings,
        role: Role::Implementer,
        cwd: Path::new("/trees/t1"),
        folder: Path::new("/space/s1"),
        target: Path::new("/project"),
        extra_dirs: &given.extra_dirs,
        resume: given.resume,
        skip_git_check: given.full,
        shape: given.full.then_some(AnswerShape::Review),
        mcp: given.mcp.as_ref(),
        hook: given.hook.as_ref(),
        files: Path::new("/space/s1/private/w1"),
        project: &given.project,
        user_settings: given.user_settings,
        prompt: "do it",
        env: &given.env,
        root_consented: given.root_consented,
    })
}

/// Argv, one flag a line, with long schemas shortened.
fn shown(launch: &Launch) -> String {
    let short =
        |text: &String| if text.starts_with("{\"") { "{…schema…}".to_owned() } else { text.clone() };
    let mut shown = format!("{}\n", launch.program.display());
    shown += &launch.args.iter().map(short).collect::<Vec<_>>().join("\n");
    for (path, text) in &launch.files {
        let text = if text.len() < 500 { text.as_str() } else { "{…schema…}" };
        shown += &format!("\n== {}\n{text}", path.display());
    }
    shown
}

const RESUME: &str = "00000000-0000-4000-8000-000000000001";

#[test]
fn the_least_launch_of_each() {
    for dialect in Dialect::ALL {
        let launch = start(&given(dialect));
        insta::assert_snapshot!(format!("least-{}", dialect.as_str()), shown(&launch));
        assert_eq!(launch.stdin, b"do it");
        assert_eq!(launch.cwd, Path::new("/trees/t1"));
        assert!(!launch.args.iter().any(|arg| arg.contains("do it")), "the prompt stands in the arguments");
    }
}

#[test]
fn the_fullest_launch_of_each() {
    for dialect in Dialect::ALL {
        let mut given = given(dialect);
        given.settings.model = Some("a-model".into());
        given.settings.args = vec!["--own".into(), "flag".into()];
        given.mcp =
            Some(McpServer { program: "/bin/orch \"q\"".into(), args: vec!["mcp".into(), "/a b".into()] });
        let args = vec!["hook".into(), "--project".into(), "/a b".into()];
        given.hook = Some(Hook { program: "/bin/orch".into(), args, patience_s: 720 });
        given.extra_dirs = vec!["/project".into(), "/other".into()];
        given.agent.leading_args = vec!["demo-agent".into(), "--".into()];
        given.resume = Some(RESUME);
        given.full = true;
        insta::assert_snapshot!(format!("fullest-{}", dialect.as_str()), shown(&start(&given)));
    }
}

#[test]
fn the_environment_is_an_allow_list() {
    let names = |dialect| start(&given(dialect)).env.into_keys().collect::<Vec<_>>().join(" ");
    insta::assert_snapshot!("environment", Dialect::ALL.map(names).join("\n\n"));
}

#[test]
fn variables_of_a_project_are_set_to_nothing_but_never_in_the_place_of_the_users() {
    let mut given = given(Dialect::Gemini);
    given.settings.env.insert("GOOGLE_GEMINI_BASE_URL".into(), "http://own".into());
    let named = "GEMINI_API_KEY HTTPS_PROXY PATH GOOGLE_GEMINI_BASE_URL GEMINI_CLI_NO_RELAUNCH TERM GEMINI_CLI_HOME \
                 NODE_TLS_REJECT_UNAUTHORIZED GEMINI_SANDBOX";
    given.project.variables = named.split_whitespace().map(str::to_owned).collect();
    let env = start(&given).env;
    let check =
        |name: &str, value: &str| assert_eq!(env.get(name).map(String::as_str), Some(value), "{name}");
    check("HTTPS_PROXY", "");
    check("NODE_TLS_REJECT_UNAUTHORIZED", "");
    check("GEMINI_SANDBOX", "");
    check("GEMINI_API_KEY", "value of GEMINI_API_KEY");
    check("PATH", "value of PATH");
    check("GOOGLE_GEMINI_BASE_URL", "http://own");
    check("GEMINI_CLI_NO_RELAUNCH", "1");
    check("TERM", "dumb");
    check("GEMINI_CLI_HOME", "/space/s1/homes/gemini");
}

#[test]
fn what_a_project_brings_is_loaded_only_with_approval() {
    let check = |dialect: Dialect, approved: bool, loads: &[&str]| {
        let mut given = given(dialect);
        given.mcp = Some(McpServer { program: "/bin/orch".into(), args: Vec::new() });
        given.project = ProjectConfig { load: approved, servers: approved, variables: Vec::new() };
        let launch = start(&given);
        let words: Vec<String> = launch
            .args
            .iter()
            .cloned()
            .chain(launch.env.into_iter().map(|(name, value)| format!("{name}={value}")))
            .collect();
        for load in loads {
            assert_eq!(words.iter().any(|word| word == load), approved, "{dialect:?} {load}: {words:?}");
        }
    };
    for approved in [false, true] {
        check(Dialect::Claude, approved, &["user,project,local", "/trees/t1/.mcp.json"]);
        check(Dialect::Codex, approved, &["projects={\"/trees/t1\"={trust_level=\"trusted\"}}"]);
        check(Dialect::Gemini, approved, &["GEMINI_CLI_TRUST_WORKSPACE=true"]);
    }
}

#[test]
fn what_the_user_sets_wins_and_an_empty_value_passes_the_shells() {
    let mut given = given(Dialect::Claude);
    let set = [("ANTHROPIC_API_KEY", "mine"), ("MY_PROXY_KEY", ""), ("NOT_THERE", ""), ("TERM", "xterm")];
    given.settings.env = set.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let env = start(&given).env;
    assert_eq!(env["ANTHROPIC_API_KEY"], "mine");
    assert_eq!(env["MY_PROXY_KEY"], "value of MY_PROXY_KEY");
    assert_eq!(env["TERM"], "xterm");
    assert!(!env.contains_key("NOT_THERE"));
}

#[test]
fn claude_is_told_that_it_is_confined_only_with_the_users_consent() {
    let told = |dialect, consent| {
        let env = start(&Given { root_consented: consent, ..given(dialect) }).env;
        env.get("IS_SANDBOX").cloned()
    };
    assert_eq!(told(Dialect::Claude, false), None, "not from the shell's environment either");
    assert_eq!(told(Dialect::Claude, true).as_deref(), Some("1"));
    assert_eq!(told(Dialect::Codex, true), None);
}

#[test]
fn cloud_logins_go_to_claude_only_when_it_runs_on_that_cloud() {
    let mut given = given(Dialect::Claude);
    assert!(!start(&given).env.contains_key("AWS_SECRET_ACCESS_KEY"));
    given.env.insert("CLAUDE_CODE_USE_BEDROCK".into(), "1".into());
    assert!(start(&given).env.contains_key("AWS_SECRET_ACCESS_KEY"));
}

#[test]
fn a_session_that_is_no_uuid_is_not_given_to_codex() {
    let launch = start(&Given { resume: Some("latest"), ..given(Dialect::Codex) });
    assert!(!launch.args.contains(&"resume".to_owned()));
    assert_eq!(launch.args.last().map(String::as_str), Some("-"));
}

#[test]
fn gemini_falls_back_to_json_before_it_could_stream() {
    let mut given = given(Dialect::Gemini);
    given.agent.version = "0.10.2".into();
    assert!(start(&given).args.windows(2).any(|pair| pair == ["--output-format", "json"]));
}

/// The settings that gemini gets with these of the user's.
fn merged(user_settings: &'static str) -> String {
    let mcp = Some(McpServer { program: "/bin/o".into(), args: vec!["mcp".into()] });
    let launch = start(&Given { user_settings: Some(user_settings), mcp, ..given(Dialect::Gemini) });
    launch.files.into_iter().map(|(_, text)| text).collect()
}

#[test]
fn geminis_settings_are_the_users_with_ours_over_them() {
    let merged = merged(
        "\u{feff}{ // mine\n\"general\": {\"maxAttempts\": 10, \"vimMode\": true}, \"security\": {\"auth\": {\"selectedType\": \"x\"}},\n\
         \"mcp\": {\"allowed\": [\"github\"]}, /* both */ \"mcpServers\": {\"orchestrator\": {\"url\": \"http://x//y\"}, \"github\": {\"command\": \"$GH\"}}}",
    );
    insta::assert_snapshot!("gemini-merged", merged);
}

#[test]
fn settings_that_gemini_itself_would_refuse_are_left_to_it() {
    for broken in ["{ \"general\": ", "[1]", "nothing"] {
        assert_eq!(merged(broken), broken);
    }
    assert_eq!(merged(" "), merged("{}"));
}

#[test]
fn gemini_takes_its_home_from_us_and_we_take_it_from_the_user() {
    let home = |env: &[(&str, &str)], demo: bool| {
        let mut given = given(Dialect::Gemini);
        given.agent.demo = demo;
        given.env = [("HOME", "/home/u")].map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        given.settings.env =
            env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(start(&given).env["GEMINI_CLI_HOME"], "/space/s1/homes/gemini");
        let home =
            agents::Home::of(&given.agent, &given.settings, &given.env, Path::new("/space/s1")).unwrap();
        home.user_settings().map(|path| path.to_string_lossy().into_owned())
    };
    assert_eq!(home(&[], false).as_deref(), Some("/home/u/.gemini/settings.json"));
    assert_eq!(home(&[("HOME", "/h")], false).as_deref(), Some("/h/.gemini/settings.json"));
    assert_eq!(
        home(&[("HOME", "/h"), ("GEMINI_CLI_HOME", "/g")], false).as_deref(),
        Some("/g/.gemini/settings.json")
    );
    assert_eq!(
        home(&[("GEMINI_CLI_HOME", "here")], false),
        None,
        "a home that depends on the folder is none"
    );
    assert_eq!(home(&[], true), None, "a demo agent reads nothing of the user's");
}
