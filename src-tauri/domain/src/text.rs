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
