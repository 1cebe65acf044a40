use proptest::prelude::*;
use serde::Deserialize;

use super::*;

fn judged(command: &str) -> Judgement {
    judge(command, &Place::example(), &GuardRules::default())
}

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    clearance: Option<Clearance>,
    command: String,
}

fn corpus(text: &str) -> Vec<Line> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_rule_fits_its_examples_and_spares_the_others() {
    let mut wrong = Vec::new();
    for rule in RULES {
        for command in rule.fits {
            let seen = seen(command, &Place::example());
            let fits = match rule.when {
                When::Has(construct) => seen.constructs.iter().any(|(known, _)| *known == construct),
                When::Words(_) | When::Is(_) => {
                    seen.invocations.iter().any(|call| table::rule_fits(rule, call, &Place::example()))
                }
            };
            if !fits || judged(command).clearance < rule.clearance {
                wrong.push(format!("{} should fit {command:?}: {:?}", rule.id, judged(command)));
            }
        }
        for command in rule.spares {
            if judged(command).clearance != Clearance::Allow {
                wrong.push(format!("{} should spare {command:?}: {:?}", rule.id, judged(command)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// THREATS T10: canonical forms 100 %, obfuscations at least 95 %, benign ones at most 2 %.
#[test]
#[expect(clippy::print_stdout, reason = "the figures are what the test is for")]
fn the_corpus_comes_out_as_it_should() {
    let labelled = corpus(include_str!("../../../../tests/fixtures/guard/labelled.jsonl"));
    let obfuscated = corpus(include_str!("../../../../tests/fixtures/guard/obfuscated.jsonl"));
    let benign = corpus(include_str!("../../../../tests/fixtures/guard/benign.jsonl"));
    let mut wrong = Vec::new();
    for line in &labelled {
        let found = judged(&line.command);
        if Some(found.clearance) != line.clearance {
            wrong.push(format!(
                "{:?} instead of {:?} ({}): {:?}",
                found.clearance, line.clearance, found.rule, line.command
            ));
        }
    }
    let unflagged: Vec<&str> = (obfuscated.iter().map(|line| line.command.as_str()))
        .filter(|command| judged(command).clearance == Clearance::Allow)
        .collect();
    let flagged: Vec<String> = (benign.iter().map(|line| (line, judged(&line.command))))
        .filter(|(_, found)| found.clearance != Clearance::Allow)
        .map(|(line, found)| format!("{} ({:?}): {:?}", found.rule, found.part, line.command))
        .collect();
    let share = |part: usize, all: usize| {
        100.0 * f64::from(u32::try_from(part).unwrap()) / f64::from(u32::try_from(all).unwrap())
    };
    let good = share(labelled.len() - wrong.len(), labelled.len());
    let caught = share(obfuscated.len() - unflagged.len(), obfuscated.len());
    let false_alarms = share(flagged.len(), benign.len());
    println!("labelled    {:4}: {good:.1} % as labelled", labelled.len());
    println!("obfuscated  {:4}: {caught:.1} % flagged", obfuscated.len());
    println!("benign      {:4}: {false_alarms:.1} % flagged", benign.len());
    assert!(wrong.is_empty(), "not as labelled:\n{}", wrong.join("\n"));
    assert!(95.0 <= caught, "not flagged:\n{}", unflagged.join("\n"));
    assert!(false_alarms <= 2.0, "flagged though benign:\n{}", flagged.join("\n"));
    assert!(300 <= labelled.len() && 120 <= obfuscated.len() && 2_000 <= benign.len());
    println!("unflagged: {unflagged:#?}\nfalse alarms: {flagged:#?}");
}

/// The control of the corpus: a list of texts to deny, as others have it, lets most obfuscations through.
#[test]
#[expect(clippy::print_stdout, reason = "the figures are what the test is for")]
fn a_deny_list_of_texts_would_not_do() {
    let obfuscated = corpus(include_str!("../../../../tests/fixtures/guard/obfuscated.jsonl"));
    let list = [
        "rm -rf",
        "rm -fr",
        "dd if=",
        "mkfs",
        "shutdown",
        "git push -f",
        "git push --force",
        "| sh",
        "| bash",
    ];
    let starts = |command: &str| {
        list.iter().any(|denied| {
            command.starts_with(denied) || command.contains("| sh") || command.contains("| bash")
        })
    };
    let caught = obfuscated.iter().filter(|line| starts(&line.command)).count();
    println!("a deny list flags {caught} of {} obfuscations", obfuscated.len());
    assert!(caught * 2 < obfuscated.len());
}

#[test]
fn what_cannot_be_read_is_never_allowed() {
    let asks = |command: &str, rule: &str| {
        let found = judged(command);
        assert!(found.clearance == Clearance::Ask && found.rule == rule, "{:.80}: {found:?}", command);
    };
    asks(&"echo x\n".repeat(10_000), "too-long");
    asks(&"true;".repeat(5_000), "too-long");
    asks(&"$(".repeat(2_000), "too-deep");
    asks(&"{ ".repeat(2_000), "too-deep");
    asks(&"if true; then ".repeat(1_000), "too-deep");
    asks(&format!("{}x{}", "(".repeat(200), ")".repeat(200)), "too-deep");
    asks("if then", "unreadable");
    asks("echo {1..99999999999999999999}", "unreadable");
}

#[test]
fn no_number_of_commands_hides_one() {
    let command = format!("{}rm -rf /", "echo x; ".repeat(1_000));
    assert_eq!(judged(&command).rule, "delete-system");
}

#[test]
fn deep_but_readable_texts_are_read_in_the_stack_of_a_thread() {
    for (open, close) in
        [("(", ")"), ("{ ", ";}"), ("$(", ")"), ("\"$(", ")\""), ("${x:-", "}"), ("if a; then ", "; fi")]
    {
        for depth in [5, 12, 23] {
            let command = format!("echo {}rm -rf /{}", open.repeat(depth), close.repeat(depth));
            // The default of a variable is a text here, not a command.
            let found = judged(&command).clearance;
            assert!(found != Clearance::Allow || open.starts_with("${"), "{command}");
        }
    }
}

#[test]
fn the_place_decides_what_is_outside() {
    let place =
        |cwd: &str| Place { cwd: cwd.to_owned(), also: vec!["/data/cache".to_owned()], ..Place::example() };
    let check = |cwd: &str, command: &str, clearance: Clearance| {
        let found = judge(command, &place(cwd), &GuardRules::default());
        assert_eq!(found.clearance, clearance, "{command} in {cwd}: {found:?}");
    };
    check("/projects/app/src", "rm -rf ../target", Clearance::Allow);
    check("/projects/app/src", "rm -rf ..", Clearance::Ask);
    check("/projects/app/src", "rm -rf ../../other", Clearance::Ask);
    check("/projects/app", "rm -rf /data/cache/x", Clearance::Allow);
    check("/projects/app", "rm -rf /data/other/x", Clearance::Ask);
    check("/projects/app", "cd /tmp/x && rm -rf y", Clearance::Allow);
    check("/projects/app", "cd \"$X\" && rm -rf y", Clearance::Ask);
    check("/", "rm -rf etc", Clearance::Deny);
}

#[test]
fn rules_of_ones_own_add_and_switch_off_within_bounds() {
    let own = |text: &str| serde_json::from_str::<GuardRules>(text).unwrap();
    let rule = r#"{"rules": [{"id": "deploy", "clearance": "deny", "reason": "Nobody deploys.", "patterns": ["make deploy|release"],
                   "fits": ["make -C x deploy"], "spares": ["make test"]}]}"#;
    let rules = own(rule);
    assert_eq!(rules.fault(), None);
    let found = judge("make deploy", &Place::example(), &rules);
    assert_eq!((found.clearance, found.rule.as_str()), (Clearance::Deny, "deploy"));
    assert_eq!(
        judge("git push", &Place::example(), &own(r#"{"off": ["push"]}"#)).clearance,
        Clearance::Allow
    );
    let fault = |text: &str, word: &str| {
        let fault = own(text).fault().unwrap();
        assert!(fault.what.contains(word), "{fault:?}");
    };
    fault(r#"{"off": ["delete-system"]}"#, "cannot be switched off");
    fault(r#"{"off": ["unreadable"]}"#, "cannot be switched off");
    fault(r#"{"off": ["nothing"]}"#, "no rule");
    fault(r#"{"answer_minutes": 0}"#, "1 to 120");
    fault(&rule.replace("deny", "allow"), "only ask or deny");
    fault(&rule.replace("make -C x deploy", "make all"), "does not fit");
    fault(&rule.replace("make test", "make release"), "should spare");
    fault(&rule.replace("\"deploy\"", "\"push\""), "must be new");
}

proptest! {
    #[test]
    fn any_text_is_judged(text in "\\PC{0,60}") {
        judged(&text);
    }

    #[test]
    fn any_shell_like_text_is_judged(text in "[a-z$(){}\\[\\]<>|&;'\"`\\\\ \\n*?~=!#./0-9-]{0,80}") {
        judged(&text);
    }

    /// Whatever stands before or behind it: a command that is denied stays flagged.
    #[test]
    fn company_makes_no_command_milder(before in "(ls|make|git status|cd src|x=1|true)( && |; | \\|\\| |\\n)", after in "( && |; |\\n| \\| )(ls|cat|wc -l|true)") {
        let command = format!("{before}rm -rf /etc{after}");
        prop_assert_eq!(judged(&command).clearance, Clearance::Deny);
    }
}

fn rules_as_a_table() -> String {
    let mut text = String::from("\n| rule | says | because | fits, for example |\n|---|---|---|---|\n");
    for rule in RULES {
        let says = match rule.clearance {
            Clearance::Allow => "allow",
            Clearance::Ask if rule.optional => "ask (optional)",
            Clearance::Ask => "ask",
            Clearance::Deny => "deny",
        };
        let code = |command: &&str| {
            format!("`{}`", command.replace('|', "\\|").replace('\n', " ").replace('`', "'"))
        };
        let fits: Vec<String> = rule.fits.iter().take(4).map(code).collect();
        text += &format!("| {} | {says} | {} | {} |\n", rule.id, rule.reason, fits.join(" "));
    }
    text
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test that keeps a document current has to read and write it"
)]
fn the_documents_table_is_the_rules() {
    const MARK: &str = "<!-- rules -->\n";
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/GUARD.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, after) = text.split_once(MARK).unwrap();
    let wanted = rules_as_a_table();
    if after != wanted {
        std::fs::write(&path, format!("{before}{MARK}{wanted}")).unwrap();
        panic!("the rules in docs/GUARD.md were stale; they have been written again, so commit it");
    }
}
