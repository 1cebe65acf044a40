//! Text from elsewhere made fit for a terminal: no control characters, no more columns than there are.

use console::{measure_text_width, truncate_str};
use domain::SessionId;
use jiff::Timestamp;

/// Without control characters: what agents say must not move the cursor or set the title (THREATS T30).
/// Tabs and line ends stay.
pub(crate) fn clean(text: &str) -> String {
    let hidden = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            // Directional marks can make a line read as another one than it is.
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if hidden(c) { '\u{fffd}' } else { c }).collect()
}

/// Clean, begun with a capital letter (unless by a name), and ended with a full stop.
pub(crate) fn sentence(text: &str) -> String {
    let text = clean(text.trim());
    let first = text.split_whitespace().next().unwrap_or_default();
    let named = ["claude", "codex", "gemini", "git"].contains(&first)
        || !first.chars().all(|c| c.is_ascii_lowercase());
    let mut letters = text.chars();
    let head = letters.next().map(|letter| if named { letter } else { letter.to_ascii_uppercase() });
    let stop = if text.is_empty() || text.ends_with(['.', '!', '?']) { "" } else { "." };
    head.into_iter().chain(letters).collect::<String>() + stop
}

/// The first line that is not blank, clean, white space run together.
pub(crate) fn line(text: &str) -> String {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    clean(first).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// At most this many columns; a cut is marked by `…`. Escape sequences of ours cost nothing and are kept whole.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    truncate_str(text, columns, "…").into_owned()
}

/// Exactly this many columns, on the left.
pub(crate) fn pad(text: &str, columns: usize) -> String {
    let text = fit(text, columns);
    let missing = columns.saturating_sub(measure_text_width(&text));
    text + &" ".repeat(missing)
}

/// Clean, and broken between words into lines of at most this many columns; words that are longer are cut.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    broken(&clean(text), columns)
}

/// As [`wrap`] for a text of our own, which may have colours.
pub(crate) fn broken(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(20);
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let (mut line, mut width) = (String::new(), 0);
        for word in paragraph.split_whitespace() {
            let word = fit(word, columns);
            let more = measure_text_width(&word);
            if width > 0 && columns < width + 1 + more {
                lines.push(std::mem::take(&mut line));
                width = 0;
            }
            if width > 0 {
                line.push(' ');
                width += 1;
            }
            line.push_str(&word);
            width += more;
        }
        lines.push(line);
    }
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

/// How long something took or lasts, in its two largest units: `4s`, `1m 20s`, `2h 05m`, `3d 4h`.
pub(crate) fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match () {
        () if days > 0 => format!("{days}d {}h", hours % 24),
        () if hours > 0 => format!("{hours}h {:02}m", minutes % 60),
        () if minutes > 0 => format!("{minutes}m {:02}s", seconds % 60),
        () => format!("{seconds}s"),
    }
}

/// From one moment to another.
pub(crate) fn between(from: Timestamp, to: Timestamp) -> String {
    span(to.as_second() - from.as_second())
}

/// A number of many digits in a few: `950`, `12.3k`, `4.1M`.
pub(crate) fn count(number: u64) -> String {
    match number {
        0..1_000 => number.to_string(),
        1_000..1_000_000 => format!("{}.{}k", number / 1_000, number % 1_000 / 100),
        _ => format!("{}.{}M", number / 1_000_000, number % 1_000_000 / 100_000),
    }
}

/// The end of a session's name, as its branch has it: random, and short enough to be typed.
pub(crate) fn name(session: &SessionId) -> &str {
    let start = session.0.len().saturating_sub(8);
    session.0.get(start..).unwrap_or(&session.0)
}

/// The beginning of a hash.
pub(crate) fn short(name: &str) -> &str {
    name.get(..8).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_others_cannot_steer_the_terminal() {
        assert_eq!(
            clean("a\u{1b}[2Jb\u{9b}c\rd\u{202e}e\tf\n"),
            "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\u{fffd}e\tf\n"
        );
        assert_eq!(line("\n  one \t two\nthree"), "one two");
    }

    #[test]
    fn sentences_begin_and_end_as_such() {
        let check = |text, expected: &str| assert_eq!(sentence(text), expected);
        check("there is no session x", "There is no session x.");
        check("codex is not signed in", "codex is not signed in.");
        check("/a/b.toml:2:1: unknown", "/a/b.toml:2:1: unknown.");
        check("What now?", "What now?");
        check("", "");
    }

    #[test]
    fn spans_show_two_units() {
        let shown = [-3, 0, 59, 60, 3_599, 3_600, 7_500, 100_000].map(span);
        assert_eq!(shown, ["0s", "0s", "59s", "1m 00s", "59m 59s", "1h 00m", "2h 05m", "1d 3h"]);
    }

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(fit("日本語の文", 5), "日本…");
        assert_eq!(pad("ü", 3), "ü  ");
        assert_eq!(wrap("one two three four five", 10), ["one two three four", "five"]);
    }

    #[test]
    fn counts_are_short() {
        assert_eq!([0, 999, 12_345, 4_190_000].map(count), ["0", "999", "12.3k", "4.1M"]);
    }
}
