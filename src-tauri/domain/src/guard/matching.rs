//! Patterns of words: `git push -f|--force` fits a program with these words, in this order or with others between them.

use super::invocation::Invocation;
use super::value::Value;

/// Whether a pattern fits. Its first word is the program; of each further word one of the alternatives must stand among
/// the arguments: an option anywhere, also among other letters (`-f` in `-uf`), other words in the pattern's order.
pub(super) fn fits(pattern: &str, call: &Invocation) -> bool {
    let mut words = pattern.split_whitespace();
    let programs = words.next().unwrap_or_default();
    if !programs.split('|').any(|program| program == call.program) {
        return false;
    }
    let mut rest: &[Value] = &call.args;
    for word in words {
        let (options, plain): (Vec<&str>, Vec<&str>) = word.split('|').partition(|it| it.starts_with('-'));
        if options.iter().any(|option| call.has(option)) {
            continue;
        }
        let Some(at) = rest.iter().position(|arg| plain.contains(&arg.text())) else { return false };
        rest = &rest[at + 1..];
    }
    true
}

/// What is wrong with a pattern, as the end of a sentence.
pub(super) fn fault(pattern: &str) -> Option<&'static str> {
    let mut words = pattern.split_whitespace();
    let program = words.next()?;
    if program.split('|').any(|name| name.is_empty() || name.contains('/') || name.starts_with('-')) {
        return Some("must begin with the name of a program, without its folder");
    }
    if 200 < pattern.len() || words.any(|word| word.split('|').any(str::is_empty)) {
        return Some("must be at most 200 characters, with words between the bars");
    }
    None
}
