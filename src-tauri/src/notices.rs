//! Native notifications: plain text, short, and never read as markup (THREATS T30).

use domain::{Notice, NoticeKind, SessionId};
use tauri::{AppHandle, Manager, UserAttentionType, async_runtime};
use tauri_plugin_notification::NotificationExt;

use crate::WINDOW;

/// The longest body, in characters before escaping.
const BODY: usize = 200;
/// The longest title, in characters.
const TITLE: usize = 80;

/// Shows a notice. Blockers and endings always; decisions only while the user looks elsewhere.
pub(crate) fn show(app: &AppHandle, session: SessionId, notice: Notice) {
    let window = app.get_webview_window(WINDOW);
    let looking = window.as_ref().is_some_and(|window| window.is_focused().unwrap_or(false));
    match notice.kind {
        NoticeKind::Decision if looking => return,
        NoticeKind::Blocker if !looking => {
            if let Some(Err(error)) =
                window.map(|window| window.request_user_attention(Some(UserAttentionType::Critical)))
            {
                tracing::warn!("failed to ask for attention: {error}");
            }
        }
        NoticeKind::Blocker | NoticeKind::Decision | NoticeKind::Done => {}
    }
    let app = app.clone();
    // Asking the server waits for another process, which must not hold up the window.
    async_runtime::spawn_blocking(move || {
        let title = domain::one_line(&notice.title, TITLE);
        let body = if reads_markup() {
            domain::escape_markup(&domain::one_line(&notice.body, BODY))
        } else {
            domain::one_line(&notice.body, BODY)
        };
        if let Err(error) = app.notification().builder().title(title).body(body).show() {
            tracing::warn!("failed to notify about session {session}: {error}");
        }
    });
}

/// Whether the notification server reads `<b>` and the like in bodies. One that cannot be asked may.
#[cfg(target_os = "linux")]
fn reads_markup() -> bool {
    notify_rust::get_capabilities().map_or(true, |all| all.iter().any(|one| one == "body-markup"))
}

/// Other systems show bodies as they are.
#[cfg(not(target_os = "linux"))]
fn reads_markup() -> bool {
    false
}
