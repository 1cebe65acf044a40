//! Secrets as their vendors, protocols and file formats shape them.
//!
//! Every search is linear in the text's length: an alternative either fits within a few characters or dies, and what has no
//! such bound (key blocks) is searched by hand. Texts may be JSON inside of JSON, so a shape may follow an escape.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::names_secret;

/// Begins at a word, or after an escape of JSON (`\n` is a letter to a search for words).
const BEGINS: &str = r"(?:(?-u:\b)|\\[bfnrt]|\\u[0-9a-fA-F]{4})";
/// Keys that begin with a mark of their vendor.
const TOKENS: &[&str] = &[
    r"sk-ant-[A-Za-z0-9_-]{16,}",
    r"sk-(?:proj-|svcacct-|or-v1-)?[A-Za-z0-9_-]{24,}",
    r"AIza[A-Za-z0-9_-]{35}",
    r"ya29\.[A-Za-z0-9_-]{20,}",
    r"gh[pousr]_[A-Za-z0-9]{30,}",
    r"github_pat_[A-Za-z0-9_]{22,}",
    r"glpat-[A-Za-z0-9_-]{20,}",
    r"xox[abeprs]-[A-Za-z0-9-]{10,}",
    r"(?:AKIA|ASIA)[A-Z0-9]{16}",
    r"npm_[A-Za-z0-9]{36}",
    r"pypi-AgE[A-Za-z0-9_-]{30,}",
    r"hf_[A-Za-z0-9]{30,}",
    r"[rs]k_live_[A-Za-z0-9]{16,}",
    // RFC 7519: two objects in base64url and a signature.
    r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
];

struct Shapes {
    token: Regex,
    /// RFC 6750 and RFC 7617; the secret is group 1.
    header: Regex,
    /// The same without the header's name before it.
    bearer: Regex,
    /// The password of an address (RFC 3986); group 1.
    address: Regex,
    /// A line of a file of variables: name and value, groups 1 and 2.
    variable: Regex,
}

static SHAPES: LazyLock<Result<Shapes, regex::Error>> = LazyLock::new(|| {
    let token = format!("{BEGINS}((?-u:{}))", TOKENS.join("|"));
    let bearer = r"(?-u)(?i:bearer)[ \t]+([A-Za-z0-9._~+/-]{16,}=*)";
    let header = r#"(?-u)(?i:authorization[\\"']{0,4}[ \t]*:[ \t]*[\\"']{0,4}(?:basic|bearer|token))[ \t]+([A-Za-z0-9._~+/-]{8,}=*)"#;
    let part = "[!#%&()*+,.0-9;=?A-Z^_a-z|~-]";
    let address = format!("(?-u)[a-z][a-z0-9+.-]{{1,20}}://{part}*:({part}{{3,}})@");
    let name = "[A-Z0-9_]{0,60}(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL)[A-Z0-9_]{0,20}";
    let variable =
        format!(r#"{BEGINS}((?-u:{name}))=(?:\\{{0,3}}["'])?((?-u:[A-Za-z0-9+/=_.~:@%!#^*-]{{8,}}))"#);
    Ok(Shapes {
        token: Regex::new(&token)?,
        header: Regex::new(header)?,
        bearer: Regex::new(bearer)?,
        address: Regex::new(&address)?,
        variable: Regex::new(&variable)?,
    })
});

/// Where secrets stand in a text: in no order, and they may overlap.
pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    let Ok(shapes) = SHAPES.as_ref() else { return };
    let group = |regex: &Regex, number: usize, found: &mut Vec<Range<usize>>| {
        if regex.is_match(text) {
            let all = regex.captures_iter(text).filter_map(|captures| captures.get(number));
            found.extend(all.map(|secret| secret.range()));
        }
    };
    // Words of a language have no digits: "Bearer authentication" is no secret, nor is a file "sk-the-slovak-texts-of-it".
    let mut doubtful = Vec::new();
    group(&shapes.token, 1, &mut doubtful);
    group(&shapes.bearer, 1, &mut doubtful);
    found.extend(doubtful.into_iter().filter(|range| has_digit(&text[range.clone()])));
    group(&shapes.header, 1, found);
    group(&shapes.address, 1, found);
    if shapes.variable.is_match(text) {
        for captures in shapes.variable.captures_iter(text) {
            let (Some(name), Some(value)) = (captures.get(1), captures.get(2)) else { continue };
            let letters = value.as_str().bytes().any(|byte| byte.is_ascii_alphabetic());
            if names_secret(name.as_str()) && letters && has_digit(value.as_str()) {
                found.push(value.range());
            }
        }
    }
}

fn has_digit(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
}

pub(super) const BEGIN: &str = "-----BEGIN ";
pub(super) const END: &str = "-----END ";
const KIND: &str = "PRIVATE KEY-----";
/// Longest label before [`KIND`], as in `ENCRYPTED `.
const MOST_LABEL: usize = 24;
/// Fewer characters are no line of a key's body, unless they are its last one.
const LEAST_LINE: usize = 16;

/// Where blocks of private keys stand (RFC 7468), also when an end of one is cut off (`…`).
///
/// `strict`: every line but the last looks like a key's body. Where a text decides something, nothing else may
/// be hidden by putting it between such marks.
pub(super) fn find_blocks(text: &str, strict: bool, found: &mut Vec<Range<usize>>) {
    if !strict && text.starts_with('…') {
        let begins = '…'.len_utf8();
        let run = body(&text[begins..]);
        if let Some(end) = mark(&text[begins + run..], END)
            && !text[begins..begins + run].trim().is_empty()
        {
            found.push(begins..begins + run + end);
        }
    }
    let mut at = 0;
    while let Some(next) = text[at..].find(BEGIN) {
        let begins = at + next;
        let Some(header) = mark(&text[begins..], BEGIN) else {
            at = begins + BEGIN.len();
            continue;
        };
        let run = body(&text[begins + header..]);
        let after = begins + header + run;
        let cut = matches!(&text[after..], "" | "…");
        let end = mark(&text[after..], END);
        let looks = !strict || is_body(&text[begins + header..after]);
        if looks && (end.is_some() || cut) {
            found.push(begins..after + end.unwrap_or(0));
        }
        // A mark within the run would have the same end.
        at = after + end.unwrap_or(0);
    }
}

/// Whether a text ends within a block.
pub(super) fn leaves_open(text: &str) -> bool {
    let Some(begins) = text.rfind(BEGIN) else { return false };
    let text = text.trim_end_matches('…');
    mark(&text[begins..], BEGIN)
        .is_some_and(|header| begins + header + body(&text[begins + header..]) == text.len())
}

/// How much of a text goes on with a block that an earlier one left open, and whether the block ends there.
pub(super) fn goes_on(text: &str) -> Option<(usize, bool)> {
    let run = body(text);
    if let Some(end) = mark(&text[run..], END) {
        return Some((run + end, true));
    }
    let header =
        |line: &str| line.is_empty() || line.starts_with("Proc-Type: ") || line.starts_with("DEK-Info: ");
    let whole = matches!(&text[run..], "" | "…") && (is_body(&text[..run]) || text.lines().all(header));
    whole.then_some((run, false))
}

/// How long the mark at the beginning of a text is, such as `-----BEGIN RSA PRIVATE KEY-----`.
fn mark(text: &str, begins: &str) -> Option<usize> {
    let rest = text.strip_prefix(begins)?;
    let label = rest.bytes().take(MOST_LABEL).take_while(|byte| byte.is_ascii_uppercase() || *byte == b' ');
    let label = &rest[..label.count()];
    // The label takes the kind's words with it, as far as they are capitals.
    let kind = label.rfind("PRIVATE KEY")?;
    rest[kind..].starts_with(KIND).then_some(begins.len() + kind + KIND.len())
}

/// How long a text goes on as a body does: base64, white space as it is or escaped, headers of older formats; up to five dashes.
fn body(text: &str) -> usize {
    let mut dashes = 0;
    let fits = |byte: &u8| {
        dashes = if *byte == b'-' { dashes + 1 } else { 0 };
        dashes < 5
            && (byte.is_ascii_alphanumeric()
                || matches!(
                    byte,
                    b'+' | b'/' | b'=' | b' ' | b'\t' | b'\r' | b'\n' | b'\\' | b':' | b',' | b'-'
                ))
    };
    let run = text.bytes().take_while(fits).count();
    // The dashes of the mark that follows are not the body's.
    if text[run..].starts_with('-') {
        run - text[..run].bytes().rev().take_while(|byte| *byte == b'-').count()
    } else {
        run
    }
}

fn is_body(text: &str) -> bool {
    let text = text.replace("\\n", "\n").replace("\\r", "\r");
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let base64 =
        |line: &str| line.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='));
    let long = |line: &&str| LEAST_LINE <= line.len();
    lines.iter().all(|line| base64(line))
        && lines
            .split_last()
            .is_none_or(|(last, rest)| rest.iter().all(long) && (long(last) || !rest.is_empty()))
}

/// What is wrong with the shapes themselves.
#[cfg(test)]
pub(super) fn fault() -> Option<String> {
    SHAPES.as_ref().err().map(ToString::to_string)
}
