//! Each CLI with the orchestrator's MCP server: found by discovery, launched as the product launches it, its model
//! calls all five tools.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use acceptance::clis::{Kit, on_loopback, orchestrate};
use agents::{LaunchRequest, McpServer, ProjectConfig, launch};
use domain::{AgentEvent, AgentInfo, Answer, Call, Dialect, Plan, Role, Settings};
use engine::calls::{self, Called};
use engine::{config, discover};

/// Longest time one run may take; on two busy cores one takes ten seconds.
const DEADLINE: Duration = Duration::from_secs(120);
/// How often the calls are looked at.
const PAUSE: Duration = Duration::from_millis(20);

/// A CLI at work, and the place of the engine beside it.
struct Desk {
    kit: Kit,
    calls: PathBuf,
    answers: PathBuf,
}

impl Desk {
    fn new(bin: PathBuf) -> Self {
        let kit = Kit::new(bin, "tools");
        let (calls, answers) = (kit.home().join("w1.calls.jsonl"), kit.home().join("w1.answers"));
        fs::create_dir(kit.home().join("project")).unwrap();
        fs::create_dir(kit.home().join("private")).unwrap();
        Self { kit, calls, answers }
    }

    /// The agent as discovery finds it from the settings.
    fn found(&self, dialect: Dialect) -> (Settings, AgentInfo) {
        let settings = config::parse(&self.kit.settings(&[dialect]), Path::new("settings.toml")).unwrap();
        let found = discover::agents(&settings, &self.kit.environment(), Some(&self.project()));
        let found = found.into_iter().find(|found| found.dialect == dialect).unwrap();
        assert!(found.warnings.is_empty(), "{:?}", found.warnings);
        assert!(matches!(found.signed_in, discover::SignedIn::Yes(_)), "{:?}", found.signed_in);
        (settings, found.agent.unwrap())
    }

    fn project(&self) -> PathBuf {
        self.kit.home().join("project")
    }

    /// Starts the CLI as the product does, without a guardian.
    fn start(&self, dialect: Dialect) -> Child {
        let (settings, agent) = self.found(dialect);
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let (calls, answers) = (text(&self.calls), text(&self.answers));
        let args = ["mcp", "--calls", &calls, "--answers", &answers, "--worker", "w1"];
        let server = McpServer { program: text(&orchestrate()), args: args.map(str::to_owned).to_vec() };
        let user_settings = std::fs::read_to_string(self.kit.home().join(".gemini/settings.json")).ok();
        let launch = launch(&LaunchRequest {
            agent: &agent,
            settings: &settings.agents[&agent.name],
            role: Role::Implementer,
            cwd: &self.project(),
            folder: self.kit.home(),
            target: &self.project(),
            extra_dirs: &[],
            resume: None,
            skip_git_check: true,
            shape: None,
            mcp: Some(&server),
            hook: None,
            files: &self.kit.home().join("private"),
            project: &ProjectConfig::default(),
            user_settings: user_settings.as_deref(),
            prompt: "# Orchestrate assignment\nagent: any\nrole: implementer\npurpose: tools\ntask: t1\n\nCall them all.\n",
            env: &self.kit.environment(),
            root_consented: true,
        });
        for (path, content) in &launch.files {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let (prompt, said) = (self.kit.home().join("prompt"), self.kit.home().join("stdout"));
        fs::write(&prompt, &launch.stdin).unwrap();
        Command::new(&launch.program)
            .args(&launch.args)
            .env_clear()
            .envs(&launch.env)
            .current_dir(&launch.cwd)
            .stdin(Stdio::from(File::open(&prompt).unwrap()))
            .stdout(File::create(&said).unwrap())
            .stderr(File::create(self.kit.home().join("stderr")).unwrap())
            .spawn()
            .unwrap()
    }

    fn called(&self) -> Vec<Called> {
        let text = fs::read(&self.calls).unwrap_or_default();
        text.split_inclusive(|byte| *byte == b'\n').filter_map(|line| calls::read(line).ok()).collect()
    }

    /// Answers what waits, as the engine would, until the CLI ends.
    fn serve(&self, mut child: Child) -> ExitStatus {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            if deadline < Instant::now() {
                child.kill().unwrap();
                panic!("no end in {DEADLINE:?}: {:?}\n{}", self.called(), self.words());
            }
            for Called { call, what, .. } in self.called() {
                let text = match what {
                    Call::AskUser { .. } => "Take 8080.",
                    Call::SubmitPlan { .. } => "The plan is accepted for approval.",
                    Call::SubmitReview { .. } => "The review is recorded.",
                    Call::Report { .. } | Call::RequestReview { .. } | Call::Permit { .. } | Call::Hooked => {
                        continue;
                    }
                };
                if calls::answer(&self.answers, &call).is_none() {
                    calls::write_answer(&self.answers, &call, text, false).unwrap();
                }
            }
            thread::sleep(PAUSE); // a busy loop would take the processor from the CLI
        }
    }

    fn words(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.kit.home().join(name)).unwrap_or_default();
        format!("{}\n{}", read("stdout"), read("stderr"))
    }
}

/// Every call arrived on disk in order, and every answer reached the model. `offered`: whether the model sees the tools
/// in its first request; where not, it has to search for them.
fn check(bin: PathBuf, dialect: Dialect, offered: &[&str]) {
    let desk = Desk::new(bin);
    let child = desk.start(dialect);
    let status = desk.serve(child);
    assert!(status.success(), "{status}\n{}", desk.words());

    let calls: Vec<Call> = desk.called().into_iter().map(|called| called.what).collect();
    // gemini checks arguments against the schema by itself: its model is told, and we never see the call.
    let (wrong, rest): (Vec<&Call>, Vec<&Call>) =
        calls.iter().partition(|call| matches!(call, Call::Report { event: AgentEvent::Error(_) }));
    assert_eq!(wrong.len(), usize::from(dialect != Dialect::Gemini), "{calls:#?}");
    let [begun, question, review, plan, right] = rest.as_slice() else {
        panic!("{calls:#?}\n{}", desk.words());
    };
    assert!(
        matches!(begun, Call::Report { event: AgentEvent::Progress(told) } if told.progress == Some(10)),
        "{begun:?}"
    );
    assert_eq!(*question, &Call::AskUser { question: "Which port?".to_owned() });
    assert_eq!(*review, &Call::RequestReview { what: "the port".to_owned() });
    let Call::SubmitPlan { plan } = plan else { panic!("{plan:?}") };
    assert_eq!(serde_json::from_str::<Plan>(plan).unwrap().tasks[0].acceptance.len(), 2);
    let Call::SubmitReview { review } = right else { panic!("{right:?}") };
    assert_eq!(Answer::read(review, &"n1".into()).unwrap().findings[0].quote.as_deref(), Some("x"));

    let requests = desk.kit.requests();
    let told: Vec<&str> = (1..=6)
        .map(|turn| {
            let request = requests.iter().find(|it| it.served == format!("tools #{turn}")).unwrap();
            request.results.last().unwrap().text.as_str()
        })
        .collect();
    let expected =
        ["noted", "Take 8080.", "noted", "accepted for approval", "nonce", "The review is recorded."];
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.contains(expected), "{told:?} lacks {expected:?}");
    }
    let first = requests.iter().find(|it| it.served == "tools #0").unwrap();
    for name in offered {
        assert!(first.tools.iter().any(|tool| tool.name == *name), "{name}: {:?}", first.tools);
    }
}

#[test]
fn claude_calls_our_tools() {
    on_loopback("real_clis::tools::claude_calls_our_tools", |bin| {
        let names = ["report", "ask_user", "request_review", "submit_plan", "submit_review"];
        let names = names.map(|name| format!("mcp__orchestrator__{name}"));
        check(bin, Dialect::Claude, &names.each_ref().map(String::as_str));
    });
}

/// codex defers the tools of MCP servers behind a search; a call by the full name works all the same.
#[test]
fn codex_calls_our_tools() {
    on_loopback("real_clis::tools::codex_calls_our_tools", |bin| {
        check(bin, Dialect::Codex, &["tool_search"])
    });
}

#[test]
fn gemini_calls_our_tools() {
    on_loopback("real_clis::tools::gemini_calls_our_tools", |bin| {
        let names = ["report", "team_ask_user", "request_review", "submit_plan", "submit_review"];
        let names = names.map(|name| format!("mcp_orchestrator_{name}"));
        check(bin, Dialect::Gemini, &names.each_ref().map(String::as_str));
    });
}
