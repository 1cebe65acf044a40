//! Terminal control sequences have no business in events: they can hide, forge or overwrite what a person reads.

/// The text without control sequences (CSI, OSC, DCS and the like), control characters other than newline and tab,
/// and the characters that turn the direction of text. A carriage return counts as a newline.
#[must_use]
pub fn clean(text: &str) -> String {
    if !text.chars().any(unwanted) {
        return text.to_owned();
    }
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = match c {
            '\u{1b}' => after_escape(after),
            '\u{9b}' => after_csi(after),
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => after_string(after),
            '\r' => {
                if !after.starts_with('\n') {
                    kept.push('\n');
                }
                after
            }
            _ => {
                if !unwanted(c) {
                    kept.push(c);
                }
                after
            }
        };
    }
    kept
}

/// The text with every such character written out (`\u{1b}`): nothing is lost and nothing acts.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for c in text.chars() {
        if unwanted(c) { kept.extend(c.escape_default()) } else { kept.push(c) }
    }
    kept
}

fn unwanted(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t') || turns(c)
}

/// Bidirectional controls (Unicode UAX 9).
fn turns(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn after_escape(rest: &str) -> &str {
    match rest.chars().next() {
        Some('[') => after_csi(&rest[1..]),
        Some(']' | 'P' | 'X' | '^' | '_') => after_string(&rest[1..]),
        // Intermediates, then one final character: `ESC ( B`.
        Some(' '..='~') => {
            let rest = rest.trim_start_matches(|c| matches!(c, ' '..='/'));
            match rest.chars().next() {
                Some(last @ '0'..='~') => &rest[last.len_utf8()..],
                Some(_) | None => rest,
            }
        }
        Some(_) | None => rest,
    }
}

/// After `ESC [`: parameters and intermediates up to the final character.
fn after_csi(rest: &str) -> &str {
    let end = rest.trim_start_matches(|c| matches!(c, ' '..='?'));
    match end.chars().next() {
        Some('@'..='~') => &end[1..],
        // No sequence after all: only its beginning goes, so that nothing is hidden.
        Some(_) | None => rest,
    }
}

/// After `ESC ]` and the like: a string up to BEL or ST. One that does not end loses its beginning only.
fn after_string(rest: &str) -> &str {
    let Some(at) = rest.find(['\u{7}', '\u{9c}', '\u{1b}', '\n']) else {
        return rest;
    };
    let end = &rest[at..];
    if let Some(after) = end.strip_prefix("\u{1b}\\") {
        after
    } else if let Some(after) = end.strip_prefix(['\u{7}', '\u{9c}']) {
        after
    } else {
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, cleaned: &str) {
        assert_eq!(clean(raw), cleaned, "{raw:?}");
        assert!(!visible(raw).chars().any(unwanted), "{raw:?}");
    }

    #[test]
    fn control_sequences_go_and_words_stay() {
        check("plain\ttext\n", "plain\ttext\n");
        check("\u{1b}[31mred\u{1b}[0m", "red");
        check("\u{1b}]8;;http://evil\u{1b}\\link\u{1b}]8;;\u{7}", "link");
        check("\u{1b}]0;never ends", "0;never ends");
        check("\u{1b}]52;c;AAAA\nnext line", "52;c;AAAA\nnext line");
        check("\u{1b}Pq\u{1b}\\after", "after");
        check("\u{1b}(Bok\u{1b}7", "ok");
        check("a\r\nb\rc", "a\nb\nc");
        check("nul\0bell\u{7}", "nulbell");
        check("\u{9b}2Jc1", "c1");
        check("ab\u{202e}dc\u{202c}\u{2066}x", "abdcx");
        check("\u{1b}", "");
        check("\u{1b}[", "");
        check("family 👨\u{200d}👩 ünï", "family 👨\u{200d}👩 ünï");
    }
}
