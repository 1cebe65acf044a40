//! Plans that are refused, each with the sentence that names the fault.

use super::*;
use crate::Dialect;

fn agents(dialects: &[Dialect]) -> Vec<AgentInfo> {
    let agent = |dialect: &Dialect| AgentInfo {
        name: dialect.as_str().into(),
        dialect: *dialect,
        program: String::new(),
        leading_args: vec![],
        version: String::new(),
        demo: false,
    };
    dialects.iter().map(agent).collect()
}

fn good() -> Plan {
    Plan::built_in("make it", &agents(&Dialect::ALL), &["true".into()])
}

/// What a change to a good plan leads to.
fn check(change: impl FnOnce(&mut Plan)) -> String {
    let mut plan = good();
    change(&mut plan);
    match plan.validate(&agents(&Dialect::ALL)) {
        Ok(()) => "accepted".into(),
        Err(fault) => fault.to_string(),
    }
}

#[test]
fn faults_are_named() {
    let cases = [
        check(|_| {}),
        check(|plan| plan.tasks.clear()),
        check(|plan| plan.tasks = vec![plan.tasks[0].clone(); 25]),
        check(|plan| plan.tasks[0].id = "Über".into()),
        check(|plan| plan.tasks[0].id = "../x".into()),
        check(|plan| plan.tasks[1].id = "architecture".into()),
        check(|plan| plan.tasks[1].depends_on = vec!["nothing".into()]),
        check(|plan| plan.tasks[0].depends_on = vec!["implementation".into()]),
        check(|plan| plan.tasks[0].agent = "gpt".into()),
        check(|plan| plan.tasks[0].title = " ".into()),
        check(|plan| plan.tasks[0].role = Role::Lead),
        check(|plan| plan.tasks[0].acceptance = vec![Check::File { path: "../../etc/passwd".into() }]),
        check(|plan| plan.tasks.iter_mut().for_each(|task| task.writes = false)),
        check(|plan| plan.tasks[2].depends_on.clear()),
        check(|plan| plan.tasks[0].weight = 60),
        check(|plan| plan.tasks[0].weight += 5),
        check(|plan| plan.tasks[2].agent = "claude".into()),
    ];
    insta::assert_snapshot!(cases.join("\n"));
}

#[test]
fn an_answer_is_read_from_json_or_one_fenced_block() {
    let there = agents(&Dialect::ALL);
    let json = serde_json::to_string(&good()).unwrap();
    for text in
        [json.clone(), format!("Here it is:\n```json\n{json}\n```\nGood luck."), format!("```\n{json}\n```")]
    {
        assert_eq!(Plan::read(&text, &there), Ok(good()), "{text}");
    }
    for text in ["", "I would rather not", "```json\n{\"summary\": 1}\n```", "{\"tasks\":[]}"] {
        assert!(matches!(Plan::read(text, &there), Err(PlanError::Unreadable(_))), "{text}");
    }
}

#[test]
fn the_built_in_plan_fits_whoever_is_there() {
    use Dialect::{Claude, Codex, Gemini};
    for there in [
        &[Claude][..],
        &[Codex],
        &[Gemini],
        &[Claude, Codex],
        &[Codex, Gemini],
        &[Claude, Gemini],
        &Dialect::ALL,
    ] {
        let agents = agents(there);
        let plan = Plan::built_in("make it", &agents, &[]);
        assert_eq!(plan.validate(&agents), Ok(()), "{there:?}");
        assert_eq!(plan.tasks.len(), if there.len() == 1 { 2 } else { 3 });
    }
}
