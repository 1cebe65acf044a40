//! A question asked in the terminal: its choices, and what an answer typed below them means.

use domain::{About, Choice, QuestionRow};

use crate::{
    text::pad,
    view::View,
    words::{self, Tone},
};

/// The choices, and the last line at which a person types.
pub(crate) fn prompt(question: &QuestionRow, view: &View) -> String {
    let mut text = String::new();
    for (number, choice) in (1..).zip(&question.choices) {
        let (word, meaning) = words::choice(*choice);
        let word =
            if words::needs_text(*choice, &question.about) { format!("{word} …") } else { word.to_owned() };
        text += &format!("  {number} {}  {meaning}\n", view.text(Tone::Strong, &pad(&word, 10)));
    }
    let how = match (&question.about, question.choices.as_slice()) {
        (About::Worker { .. }, _) => "Your answer",
        (_, choices) if choices.iter().any(|choice| words::needs_text(*choice, &question.about)) => {
            "Number or word, your text after it"
        }
        (_, _) => "Number or word",
    };
    format!("{text}{} ", view.text(Tone::Warn, &format!("{how} >")))
}

/// What was typed, as a choice and words; or what is wrong with it.
pub(crate) fn read(question: &QuestionRow, typed: &str) -> Result<(Choice, String), String> {
    let typed = typed.trim();
    let (first, rest) = typed.split_once(char::is_whitespace).unwrap_or((typed, ""));
    let first = first.trim_end_matches([':', ',']).to_lowercase();
    let numbered = first.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    let named = || question.choices.iter().copied().find(|choice| words::choice(*choice).0 == first);
    let yes = || {
        let agree =
            question.choices.contains(&Choice::Approve) && matches!(first.as_str(), "y" | "yes" | "ok");
        agree.then_some(Choice::Approve)
    };
    let chosen = numbered.and_then(|place| question.choices.get(place).copied()).or_else(named).or_else(yes);
    let (choice, text) = match chosen {
        Some(choice) => (choice, rest.trim().to_owned()),
        None if typed.is_empty() => return Err("Nothing was typed.".to_owned()),
        // A worker's question is answered in words.
        None if question.choices.contains(&Choice::Reply) => (Choice::Reply, typed.to_owned()),
        None => return Err(format!("`{first}` is none of the choices.")),
    };
    if words::needs_text(choice, &question.about) && text.is_empty() {
        let (word, _) = words::choice(choice);
        return Err(format!("`{word}` needs your words after it, as in: {word} Use the second one."));
    }
    Ok((choice, text))
}

/// The commands that answer a question from another terminal or later.
pub(crate) fn commands(question: &QuestionRow, session: &str) -> Vec<String> {
    let command = |choice: &Choice| {
        let (word, meaning) = words::choice(*choice);
        let text = if words::needs_text(*choice, &question.about) { " \"…\"" } else { "" };
        let command =
            format!("orchestrate answer {session} --question {} --choice {word}{text}", question.id);
        format!("{command}    {meaning}")
    };
    question.choices.iter().map(command).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{QuestionId, WorkerId};

    fn question(about: About, choices: &[Choice]) -> QuestionRow {
        QuestionRow {
            id: QuestionId(2),
            text: "What now?".to_owned(),
            about,
            choices: choices.to_vec(),
            since: jiff::Timestamp::UNIX_EPOCH,
            answer: None,
        }
    }

    #[track_caller]
    fn check(question: &QuestionRow, typed: &str, expected: Result<(Choice, &str), &str>) {
        let read = read(question, typed);
        let read = read.as_ref().map(|(choice, text)| (*choice, text.as_str())).map_err(String::as_str);
        assert_eq!(read, expected, "{typed:?}");
    }

    #[test]
    fn answers_are_numbers_or_words() {
        let plan = question(About::Plan { version: 1 }, &[Choice::Approve, Choice::Replan, Choice::Abandon]);
        check(&plan, "1", Ok((Choice::Approve, "")));
        check(&plan, " YES ", Ok((Choice::Approve, "")));
        check(&plan, "approve", Ok((Choice::Approve, "")));
        check(&plan, "2  smaller steps ", Ok((Choice::Replan, "smaller steps")));
        check(&plan, "replan: smaller steps", Ok((Choice::Replan, "smaller steps")));
        check(&plan, "replan", Err("`replan` needs your words after it, as in: replan Use the second one."));
        check(&plan, "retry", Err("`retry` is none of the choices."));
        check(&plan, "0", Err("`0` is none of the choices."));
        check(&plan, "4", Err("`4` is none of the choices."));
        check(&plan, "  ", Err("Nothing was typed."));
    }

    #[test]
    fn a_worker_is_answered_in_words() {
        let about = About::Worker { worker: WorkerId(3), call: "7".to_owned() };
        let asked = question(about, &[Choice::Reply, Choice::Abandon]);
        check(&asked, "Port 8080, please", Ok((Choice::Reply, "Port 8080, please")));
        check(&asked, "abandon", Ok((Choice::Abandon, "")));
    }

    #[test]
    fn commands_can_be_copied() {
        let plan = question(About::Plan { version: 1 }, &[Choice::Approve, Choice::Replan]);
        insta::assert_snapshot!(commands(&plan, "01aa5f00-1111").join("\n"), @r#"
        orchestrate answer 01aa5f00-1111 --question q2 --choice approve    agree, and start
        orchestrate answer 01aa5f00-1111 --question q2 --choice replan "…"    ask for another plan, with what you write
        "#);
    }
}
