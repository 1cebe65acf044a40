//! A person's way through the real window: WebKit, the GTK folder picker, the session bus, real processes.
//!
//! Runs where `.ci/e2e` puts it: on a display of its own with a session bus of its own.
#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot do without has to fail it; clippy knows only test functions"
)]

#[cfg(test)]
mod desktop;
#[cfg(test)]
mod page;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use acceptance::clis::{Kit, on_loopback};
use domain::Dialect;

use desktop::{Desktop, Notification};
use page::Page;

/// How long the demo session may take in the window; it takes less than 30 s on two cores when nothing else runs.
const DEMO: Duration = Duration::from_secs(180);
/// How long anything else may take.
const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a display and a session bus of its own: make e2e"]
async fn a_person_picks_a_folder_and_watches_the_demo_session() {
    let desktop = Desktop::new();
    let page = Page::open(&desktop, &[]).await;
    page.refuses_what_the_window_has_no_right_to().await;

    // The real folder picker, by keyboard.
    let project = desktop.home().join("ein Projekt für alle");
    std::fs::create_dir(&project).unwrap();
    page.click("pick-folder").await;
    desktop.choose_in_picker("Choose the project folder", &project).await;
    let picked = page.text_when("target-path", SOON, |text| !text.is_empty()).await;
    assert_eq!(PathBuf::from(picked), project);

    // The demo session: plan, agents, reviews, decision, landing.
    page.click("demo").await;
    page.click_when_there("approve-plan", DEMO).await;
    page.count_when("agent-card", DEMO, |cards| cards >= 3).await;
    let over = ["ready to land", "landed", "failed", "stopped", "limit reached"];
    let phase = page.text_when("phase", DEMO, |phase| over.contains(&phase)).await;
    assert_eq!(phase, "ready to land");
    page.text_when("decision", SOON, |text| text.contains("Continue") && text.contains("rule:")).await;
    page.count_when("timeline-item", SOON, |items| items >= 10).await;
    // Nobody scrolled, so the timeline still follows its end.
    page.count_when("follow", SOON, |buttons| buttons == 0).await;
    page.screenshot("window.png").await;
    page.click("tab-reviews").await;
    page.count_when("review-card", SOON, |reviews| reviews >= 2).await;
    page.screenshot("reviews.png").await;
    page.click_when_there("land-merge", SOON).await;
    page.text_when("phase", SOON, |phase| phase == "landed").await;

    // Its end was announced, as plain text.
    let notices = desktop.notifications_when(SOON, |all| !all.is_empty()).await;
    assert!(notices.iter().all(Notification::is_plain), "{notices:?}");
    assert!(notices.iter().all(|notice| notice.app == "meta-orchestrator"), "{notices:?}");

    desktop.close_window("Meta-Orchestrator");
    desktop.no_process_is_left(SOON).await;
}

#[test]
#[ignore = "needs a display and a session bus of its own: make e2e"]
fn a_blocker_of_a_real_agent_stops_the_session_and_notifies() {
    on_loopback("a_blocker_of_a_real_agent_stops_the_session_and_notifies", |bin| {
        tokio::runtime::Runtime::new().unwrap().block_on(blocker(bin));
    });
}

/// The real CLIs against the scripted model server: gemini finds a blocker in what claude wrote.
async fn blocker(bin: PathBuf) {
    let kit = Kit::new(bin, "blocker");
    let desktop = Desktop::with(kit.home().to_owned(), kit.environment());
    let project = project(kit.home());
    let settings = kit.home().join("settings.toml");
    let agents = [Dialect::Claude, Dialect::Codex, Dialect::Gemini];
    std::fs::write(&settings, kit.settings(&agents)).unwrap();

    // Nothing starts without the typed consent.
    let page = Page::open(&desktop, &["--config", settings.to_str().unwrap()]).await;
    page.type_into("target-path", project.to_str().unwrap()).await;
    page.type_into("goal", "Write slug.sh, which turns a title into a slug for a URL.").await;
    page.click("start").await;
    page.text_when("missing", SOON, |text| text.contains("sandbox")).await;
    assert_eq!(kit.requests().len(), 0, "no agent has run");
    page.type_into("consent-word", "unsandboxed").await;
    page.click("start").await;
    page.click_when_there("approve-plan", DEMO).await;

    page.text_when("phase", DEMO, |phase| phase == "needs you").await;
    let trace = |text: &str| text.contains("any blocker stops the session");
    page.text_when("decision", DEMO, trace).await;
    page.screenshot("blocker.png").await;
    // The plan that waits notifies as well; the blocker comes after it.
    let blocked = |all: &[Notification]| {
        all.iter().any(|one| one.summary == "Stopped: a blocker needs you" && one.body.contains("gemini: "))
    };
    let notices = desktop.notifications_when(SOON, blocked).await;
    assert!(notices.iter().all(Notification::is_plain), "{notices:?}");

    desktop.close_window("Meta-Orchestrator");
    desktop.no_process_is_left(SOON).await;
}

#[test]
#[ignore = "needs a display and a session bus of its own: make e2e"]
fn a_command_of_a_real_agent_waits_for_consent() {
    on_loopback("a_command_of_a_real_agent_waits_for_consent", |bin| {
        tokio::runtime::Runtime::new().unwrap().block_on(consent(bin));
    });
}

/// The hook of the real claude: one command is denied on its card, one allowed, and both answers hold.
async fn consent(bin: PathBuf) {
    let kit = Kit::new(bin, "consent");
    let desktop = Desktop::with(kit.home().to_owned(), kit.environment());
    let project = project(kit.home());
    let settings = kit.home().join("settings.toml");
    let agents = kit.settings(&[Dialect::Claude, Dialect::Codex]);
    std::fs::write(&settings, format!("lead = \"codex\"\napprove_plan = true\n{agents}")).unwrap();

    let page = Page::open(&desktop, &["--config", settings.to_str().unwrap()]).await;
    page.type_into("target-path", project.to_str().unwrap()).await;
    page.type_into("goal", "Write slug.sh, which turns a title into a slug for a URL.").await;
    // What the project brings for agents is shown, and loaded only after a typed yes; here it is taken back again.
    page.text_when("brought", SOON, |text| text.contains("Not loaded") && text.contains(".mcp.json")).await;
    page.screenshot("brought.png").await;
    page.type_into("trust-word", "yes").await;
    page.click("trust").await;
    page.click_when_there("distrust", SOON).await;
    page.text_when("brought", SOON, |text| text.contains("Not loaded")).await;
    page.click("start").await;
    page.text_when("missing", SOON, |text| text.contains("sandbox")).await;
    page.type_into("consent-word", "unsandboxed").await;
    page.click("start").await;

    page.text_when("wanted-command", DEMO, |text| text == "touch denied.txt; git push origin main").await;
    page.screenshot("consent.png").await;
    let asks = |all: &[Notification]| all.iter().any(|one| one.summary == "A command needs your consent");
    desktop.notifications_when(SOON, asks).await;
    page.click("answer-deny").await;
    page.text_when("wanted-command", DEMO, |text| text.contains("--dry-run")).await;
    page.click("answer-allow_once").await;
    page.text_when("phase", DEMO, |phase| phase == "ready to land").await;
    page.click_when_there("land-merge", SOON).await;
    page.text_when("phase", SOON, |phase| phase == "landed").await;
    assert!(project.join("slug.sh").exists() && project.join("allowed.txt").exists());
    assert!(!project.join("denied.txt").exists(), "it ran although it was denied");

    desktop.close_window("Meta-Orchestrator");
    desktop.no_process_is_left(SOON).await;
}

/// A small git project with a check of its own.
fn project(home: &Path) -> PathBuf {
    let project = home.join("projects/slugs");
    std::fs::create_dir_all(&project).unwrap();
    std::fs::write(project.join("README.md"), "# Slugs\n").unwrap();
    std::fs::write(project.join(".mcp.json"), "{\"mcpServers\": {}}\n").unwrap();
    std::fs::write(project.join("check.sh"), "set -eu\nif [ -e slug.sh ]; then sh -n slug.sh; fi\n").unwrap();
    let me = ["-c", "user.name=Tester", "-c", "user.email=t@example.invalid"];
    for arguments in [&["init", "-q", "-b", "main"][..], &["add", "-A"], &["commit", "-q", "-m", "Begin"]] {
        let git = Command::new("git").arg("-C").arg(&project).args(me).args(arguments).status();
        assert!(git.is_ok_and(|status| status.success()), "git {arguments:?}");
    }
    project
}
