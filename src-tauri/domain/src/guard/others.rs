//! Programs with commands of their own in their arguments: `find -exec`, `git -c alias.…`, `ssh host …`.

use super::invocation::{Invocation, Redirects};
use super::run::joined;
use super::value::{Flow, Value};
use super::walk::Walk;

impl Walk<'_> {
    pub(super) fn runs_others(&mut self, call: &mut Invocation, input: &Flow, shown: &str) -> Flow {
        match call.program.as_str() {
            "find" | "fd" => self.find(call),
            "git" => self.git(call, shown),
            "su" | "sg" => {
                if let Some(text) = call.after(&["-c", "--command"]) {
                    self.apart(|walk| walk.shell_text(&text, shown));
                }
            }
            "nix-shell" | "nix" => {
                if let Some(text) = call.after(&["--run", "--command", "-c"]) {
                    self.apart(|walk| walk.shell_text(&text, shown));
                }
            }
            "at" | "batch" => {
                self.shell_input(input, shown);
            }
            "tmux" | "screen" => self.last_texts(call, shown),
            "ssh" => {
                let takes = ["-i", "-p", "-l", "-o", "-F", "-J", "-L", "-R", "-D", "-E", "-c", "-b", "-W"];
                let rest: Vec<Value> = call.operands(&takes).into_iter().skip(1).cloned().collect();
                if !rest.is_empty() {
                    let text = joined(&rest);
                    self.apart(|walk| walk.shell_text(&text, shown));
                }
            }
            _ => {}
        }
        self.output(call, input)
    }

    /// `find … -exec rm {} ;`
    fn find(&mut self, call: &Invocation) {
        let starts = ["-exec", "-execdir", "-ok", "-okdir", "-x", "-X", "--exec", "--exec-batch"];
        let tests = ["-name", "-iname", "-path", "-regex", "-type", "-mtime", "-newer", "-size", "-empty"];
        let narrowed = tests.iter().any(|test| *test != "-type" && call.word(test));
        let from = call.args.first().filter(|arg| !arg.text().starts_with('-')).cloned();
        let from = from.unwrap_or_else(|| Value::known("."));
        let mut found = from.clone();
        // What is found lies below; with a test it is a part of it, without one it may be all.
        found.push_str(if narrowed { "/found" } else { "" });
        let args = call.args.clone();
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            if starts.contains(&arg.text()) {
                let words: Vec<Value> = (rest.by_ref())
                    .take_while(|word| !matches!(word.text(), ";" | "+"))
                    .map(
                        |word| if word.text().contains("{}") { replaced(word, &found) } else { word.clone() },
                    )
                    .collect();
                if !words.is_empty() {
                    let before = self.seen.invocations.len();
                    self.apart(|walk| walk.run(words, Vec::new(), &Redirects::default(), &Flow::Nothing));
                    self.seen.invocations[before..].iter_mut().for_each(|call| call.many = true);
                }
            }
        }
    }

    /// `git -c alias.x='!sh'`, `git bisect run …`, `git submodule foreach …`, `git rebase --exec …`.
    fn git(&mut self, call: &Invocation, shown: &str) {
        for arg in call.args.clone() {
            if let Some((_, text)) = arg.text().split_once("=!") {
                let text = text.to_owned();
                self.apart(|walk| walk.text(&text));
            }
        }
        for option in ["--exec", "-x", "--tree-filter", "--index-filter", "--msg-filter", "--env-filter"] {
            if let Some(text) = call.after(&[option]) {
                self.apart(|walk| walk.shell_text(&text, shown));
            }
        }
        let operands: Vec<Value> =
            call.operands(&["-C", "-c", "--git-dir", "--work-tree"]).into_iter().cloned().collect();
        let words: Vec<&str> = operands.iter().map(Value::text).collect();
        match &words[..] {
            ["bisect", "run", ..] => {
                let rest = operands[2..].to_vec();
                self.apart(|walk| walk.run(rest, Vec::new(), &Redirects::default(), &Flow::Nothing));
            }
            ["submodule", "foreach", ..] if 2 < operands.len() => {
                let text = joined(&operands[2..]);
                self.apart(|walk| walk.shell_text(&text, shown));
            }
            ["config", key, text] if text.starts_with('!') && key.starts_with("alias.") => {
                let text = text[1..].to_owned();
                self.apart(|walk| walk.text(&text));
            }
            _ => {}
        }
    }

    /// Arguments with blanks are commands: `tmux new -d 'make all'`.
    fn last_texts(&mut self, call: &Invocation, shown: &str) {
        for arg in call.args.clone() {
            if arg.text().contains(' ') {
                self.apart(|walk| walk.shell_text(&arg, shown));
            }
        }
    }
}

fn replaced(word: &Value, found: &Value) -> Value {
    if word.text() == "{}" {
        return found.clone();
    }
    Value::part(&word.text().replace("{}", found.text()), word.source.or(found.source))
}
