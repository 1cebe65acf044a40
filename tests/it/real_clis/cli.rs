//! Each CLI on its own: proves that the model server speaks what it takes.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use acceptance::clis::{Kit, on_loopback};
use acceptance::model_server::{Endpoint, Record};
use domain::Dialect;

fn prompt(purpose: &str) -> String {
    format!(
        "# Orchestrate assignment\nagent: any\nrole: implementer\npurpose: {purpose}\ntask: t1\n\nGo on.\n"
    )
}

/// Runs a CLI with a prompt on its standard input. Its output goes to a file: gemini loses what a pipe cannot take.
fn run(kit: &Kit, dialect: Dialect, model: &[&str], cwd: &Path, prompt: &str) -> (Output, String) {
    let path = kit.home().join("stdout");
    let mut command = kit.command(dialect, cwd);
    command.args(model);
    command.stdin(Stdio::piped()).stdout(std::fs::File::create(&path).unwrap()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(prompt.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = std::fs::read_to_string(&path).unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{dialect:?}: {}\n{said}\n{stderr}", output.status);
    (output, said)
}

fn served(requests: &[Record]) -> Vec<&str> {
    let models = requests.iter().filter(|it| matches!(it.endpoint, Endpoint::Model(_)));
    models.map(|it| it.served.as_str()).collect()
}

fn check(dialect: Dialect, model: &[&str], bin: PathBuf) {
    let kit = Kit::new(bin, "smoke");
    let project = kit.home().join("project");
    std::fs::create_dir(&project).unwrap();

    let (_, said) = run(&kit, dialect, model, &project, &prompt("plain"));
    // gemini prints the pieces of an answer as they come.
    assert!(said.contains("Hello from the scripted model.") || said.contains("Hello from the"), "{said}");
    assert_eq!(served(&kit.requests()), ["plain #0"]);

    let (_, said) = run(&kit, dialect, model, &project, &prompt("write"));
    let written = std::fs::read_to_string(project.join("notes/hello.txt")).unwrap();
    assert_eq!(written, "hello\nsecond\n");
    assert!(said.contains("parallel"), "{said}");
    let requests = kit.requests();
    assert_eq!(served(&requests)[1..], ["write #0", "write #1", "write #2", "write #3"]);
    let after_commands = requests.iter().find(|it| it.served == "write #2").unwrap();
    assert_eq!(after_commands.results.len(), 2, "both calls of one turn were answered");
    assert!(requests.iter().all(|it| it.key != "other"), "only the tests' own key is sent");
    assert_eq!(after_commands.folder.as_deref(), project.to_str(), "the model is told where it works");
}

#[test]
fn claude_works_against_the_server() {
    on_loopback("real_clis::cli::claude_works_against_the_server", |bin| check(Dialect::Claude, &[], bin));
}

#[test]
fn codex_works_against_the_server() {
    on_loopback("real_clis::cli::codex_works_against_the_server", |bin| check(Dialect::Codex, &[], bin));
}

/// Newer models run one JavaScript tool that calls the others, and their tools are announced inside of the input.
#[test]
fn codex_works_in_code_mode() {
    on_loopback("real_clis::cli::codex_works_in_code_mode", |bin| {
        check(Dialect::Codex, &["-m", "gpt-6.1-sol"], bin);
    });
}

#[test]
fn gemini_works_against_the_server() {
    on_loopback("real_clis::cli::gemini_works_against_the_server", |bin| check(Dialect::Gemini, &[], bin));
}
