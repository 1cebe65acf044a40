//! A person's way through the real window: WebKit, the GTK folder picker, the session bus, real processes.
//!
//! Runs where `.ci/e2e` puts it: on a display of its own with a session bus of its own.

#[cfg(test)]
mod desktop;
#[cfg(test)]
mod page;

use std::{path::PathBuf, time::Duration};

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
    let page = Page::open(&desktop).await;
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

    page.close().await;
    desktop.no_process_is_left(SOON).await;
}
