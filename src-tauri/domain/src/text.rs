//! Small readings of text that more than one module needs.

/// The JSON object in an answer: the whole text when it is one, else the content of the last fenced block that is one.
///
/// Gives the slice that looks like an object; whether it parses is for the caller to find out.
#[must_use]
pub fn fenced_json(text: &str) -> Option<&str> {
    let object = |text: &'_ str| text.starts_with('{') && text.ends_with('}');
    let whole = text.trim();
    if object(whole) {
        return Some(whole);
    }
    let mut parts = text.split("```");
    parts.next()?; // before the first fence
    let mut found = None;
    while let Some(block) = parts.next() {
        let body = block.split_once('\n').map_or(block, |(tag, body)| {
            if tag.trim().chars().all(char::is_alphanumeric) { body } else { block }
        });
        if object(body.trim()) {
            found = Some(body.trim());
        }
        parts.next(); // between two blocks
    }
    found
}

/// At most `most` characters of the end of a text; a cut is marked by `…`.
#[must_use]
pub fn tail(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let mut kept = String::from("…");
    kept.extend(text.chars().skip(count - most.saturating_sub(1)));
    kept
}

/// At most `most` characters of the beginning of a text; a cut is marked by `…`.
#[must_use]
pub fn head(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(most.saturating_sub(1)).collect();
    kept.push('…');
    kept
}

/// One line without control and direction characters, at most `most` characters (THREATS T16, T30).
#[must_use]
pub fn one_line(text: &str, most: usize) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let words = text.split_whitespace().map(|word| word.chars().filter(|c| !hidden(*c)).collect::<String>());
    let words: Vec<String> = words.filter(|word| !word.is_empty()).collect();
    head(&words.join(" "), most)
}

/// As the notification specification asks for bodies that hold no markup.
#[must_use]
pub fn escape_markup(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, shown: &str) {
        assert_eq!(escape_markup(&one_line(text, 200)), shown);
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
        let shown = one_line(&"<".repeat(500), 200);
        assert_eq!(shown.chars().count(), 200);
        assert!(escape_markup(&shown).ends_with("&lt;…"));
    }

    #[test]
    fn the_last_fenced_object_is_the_answer() {
        assert_eq!(fenced_json("  {\"a\":1} "), Some("{\"a\":1}"));
        assert_eq!(fenced_json("x\n```json\n{\"a\":1}\n```\ny\n```\n{\"b\":2}\n```\n"), Some("{\"b\":2}"));
        assert_eq!(fenced_json("```json\n[1]\n```"), None);
        assert_eq!(fenced_json("no fence {\"a\":1} at all"), None);
    }
}
