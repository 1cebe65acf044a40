use domain::{AgentError, AgentEvent, Progress};

use super::*;

fn said(secrets: &Secrets, said: AgentEvent) -> AgentEvent {
    let worker = WorkerId(1);
    let input =
        input(secrets, &GuardRules::default(), &mut Open::new(), Input::Said { worker, offset: 7, said });
    let Input::Said { said, offset: 7, .. } = input else { panic!("another input: {input:?}") };
    said
}

#[test]
fn secrets_of_the_environment_and_of_credential_files_are_known() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("home/.codex/auth.json", r#"{"tokens":{"access_token":"from-the-file"}}"#);
    write("home/.aws/credentials", "[default]\naws_secret_access_key = from-aws-1\n");
    write("project/.env", "DB_PASSWORD='from-the-project'\n");
    let mut env = Environment::new();
    env.insert("HOME".to_owned(), folder.path().join("home").to_string_lossy().into_owned());
    env.insert("DEPLOY_TOKEN".to_owned(), "from-the-environment".to_owned());
    env.insert("KEY_FOLDER".to_owned(), folder.path().to_string_lossy().into_owned());
    let mut settings = Settings::default();
    let agent = settings.agents.entry("claude".into()).or_default();
    agent.env.insert("API_KEY_ID".to_owned(), "from-the-settings".to_owned());
    let secrets = known(&env, &settings, Some(&folder.path().join("project")));
    let text = format!(
        "from-the-file from-aws-1 from-the-project from-the-environment from-the-settings {}",
        folder.path().display()
    );
    let expected = format!("{}{}", "[secret] ".repeat(5), folder.path().display());
    let error = |text: String| AgentEvent::Error(AgentError { text, raw: None });
    assert_eq!(said(&secrets, error(text)), error(expected));
}

#[test]
fn a_block_that_is_told_line_by_line_goes() {
    let (mut open, rules, worker) = (Open::new(), GuardRules::default(), WorkerId(1));
    let mut says = |text: &str| {
        let said = AgentEvent::Progress(Progress { text: text.to_owned(), ..Progress::default() });
        let said = Input::Said { worker, offset: 0, said };
        let Input::Said { said: AgentEvent::Progress(progress), .. } =
            input(&Secrets::default(), &rules, &mut open, said)
        else {
            panic!("it is another input")
        };
        progress.text
    };
    assert_eq!(says("It is -----BEGIN PRIVATE KEY-----"), "It is [secret]");
    assert_eq!(says("MIIEpAIBAAKCAQEA7MIIEpAIBAAKCAQEA7"), "[secret]");
    assert_eq!(says("QUJD\n-----END PRIVATE KEY----- and so on"), "[secret] and so on");
    assert_eq!(says("MIIEpAIBAAKCAQEA7MIIEpAIBAAKCAQEA7"), "MIIEpAIBAAKCAQEA7MIIEpAIBAAKCAQEA7");
}

#[test]
fn a_command_is_judged_as_if_nothing_had_gone_out_of_it() {
    let secrets = Secrets::of(["hunter2-hunter2".to_owned(), "rm -rf /home/me".to_owned()]);
    let command = |command: &str| {
        let wanted = domain::guard::Wanted {
            tool: "Bash".to_owned(),
            command: command.to_owned(),
            prompted: false,
            place: nowhere(),
        };
        let what = Call::Permit { wanted };
        let (worker, call) = (WorkerId(1), "c".to_owned());
        let called = Input::Called { worker, offset: 0, call, what };
        let called = input(&secrets, &GuardRules::default(), &mut Open::new(), called);
        let Input::Called { what: Call::Permit { wanted }, .. } = called else {
            panic!("another input: {called:?}")
        };
        wanted.command
    };
    assert_eq!(command("grep hunter2-hunter2 a"), "grep [secret] a");
    // Whatever somebody has for a password.
    assert_eq!(command("rm -rf /home/me"), "rm -rf /home/me");
    let hidden = "echo -----BEGIN PRIVATE KEY-----\nrm -rf /home/me\n-----END PRIVATE KEY-----";
    assert_eq!(command(hidden), hidden);
}

#[test]
fn a_verdict_keeps_its_nonce_and_its_hashes() {
    let secrets = Secrets::of(["hunter2-hunter2".to_owned()]);
    let review = r#"{"nonce":"3671766a1b2c3d4e5f60718293a4b5c6","verdict":"blocker","summary":"hunter2-hunter2 is in 3671766a1b2c3d4e5f60718293a4b5c6d7e8f901","findings":[]}"#;
    let what = redacted(&secrets, Call::SubmitReview { review: review.to_owned() });
    assert_eq!(what, Call::SubmitReview { review: review.replace("hunter2-hunter2", "[secret]") });
}

#[test]
fn raw_logs_are_masked_in_their_place() {
    let secrets = Secrets::of(["hunter2-hunter2".to_owned()]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("1.jsonl");
    // Over the end of a block, with a line that is longer than one.
    let line = format!("{}\nhunter2-hunter2 {}\n", "x".repeat(BLOCK - 20), "y".repeat(BLOCK + 7));
    let text = format!("{line}{line}hunter2-hunter2");
    std::fs::write(&path, &text).unwrap();
    assert_eq!(mask(&secrets, &path).unwrap(), 3);
    assert!(std::fs::read_to_string(&path).unwrap() == text.replace("hunter2-hunter2", &"*".repeat(15)));
    assert_eq!(mask(&secrets, &path).unwrap(), 0);
}
