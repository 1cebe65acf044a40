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
        let title = plain(&notice.title, TITLE);
        let body =
            if reads_markup() { escaped(&plain(&notice.body, BODY)) } else { plain(&notice.body, BODY) };
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

/// One line without control and direction characters, at most `most` characters.
fn plain(text: &str, most: usize) -> String {
    let visible = |c: char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let spaced: String =
        text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| visible(*c)).collect();
    let words: Vec<&str> = spaced.split(' ').filter(|word| !word.is_empty()).collect();
    domain::head(&words.join(" "), most)
}

/// As the notification specification asks for bodies that hold no markup.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, shown: &str) {
        assert_eq!(escaped(&plain(text, BODY)), shown);
    }

    #[test]
    fn nothing_is_read_as_markup() {
        check("2 findings in src/main.rs", "2 findings in src/main.rs");
        check("<b>a</b> & <img src=x>", "&lt;b&gt;a&lt;/b&gt; &amp; &lt;img src=x&gt;");
        check("&lt;b&gt;", "&amp;lt;b&amp;gt;");
    }

    #[test]
    fn one_line_of_visible_characters() {
        check("first\nsecond\t third\u{1b}[31m", "first second third[31m");
        check("safe\u{202e}exe.txt\u{200b}", "safeexe.txt");
    }

    #[test]
    fn long_texts_are_cut_before_they_are_escaped() {
        let shown = plain(&"<".repeat(500), BODY);
        assert_eq!(shown.chars().count(), BODY);
        assert!(shown.ends_with('…'));
        assert!(escaped(&shown).ends_with("&lt;…"));
    }
}
