//! The syntax tree, from the parser to what is run.

use brush_parser::ast::{
    AndOr, Assignment, AssignmentName, AssignmentValue, Command, CommandPrefixOrSuffixItem, CompoundCommand,
    CompoundList, ExtendedTestExpr, FunctionDefinition, IoFileRedirectKind, IoFileRedirectTarget, IoRedirect,
    Pipeline, Program, SimpleCommand, SubshellCommand,
};
use brush_parser::{Parser, ParserOptions};

use super::invocation::Redirects;
use super::table::Construct;
use super::value::{Flow, Source, Value};
use super::walk::Walk;

/// Values of a loop that are each looked at.
const MOST_ROUNDS: usize = 16;

/// A text as a shell reads it; `None` when it is none.
pub(super) fn parse(text: &str) -> Option<Program> {
    Parser::new(text.as_bytes(), &ParserOptions::default()).parse_program().ok()
}

impl Walk<'_> {
    pub(super) fn program(&mut self, program: &Program) -> Flow {
        program
            .complete_commands
            .iter()
            .fold(Flow::Nothing, |flow, list| flow.then(self.list(list, &Flow::Nothing)))
    }

    fn list(&mut self, list: &CompoundList, input: &Flow) -> Flow {
        let mut flow = Flow::Nothing;
        for item in &list.0 {
            flow = flow.then(self.pipeline(&item.0.first, input));
            for more in &item.0.additional {
                let (AndOr::And(next) | AndOr::Or(next)) = more;
                flow = flow.then(self.pipeline(next, input));
            }
        }
        flow
    }

    fn pipeline(&mut self, pipeline: &Pipeline, input: &Flow) -> Flow {
        let [only] = &pipeline.seq[..] else {
            // Each part of a pipe is a shell of its own.
            return pipeline
                .seq
                .iter()
                .fold(input.clone(), |flow, command| self.apart(|walk| walk.command(command, &flow)));
        };
        self.command(only, input)
    }

    fn command(&mut self, command: &Command, input: &Flow) -> Flow {
        match command {
            Command::Simple(simple) => self.simple(simple, input),
            Command::Compound(compound, redirects) => {
                let redirects = self.redirects(redirects.iter().flat_map(|list| &list.0));
                let input = redirects.input.clone().unwrap_or_else(|| input.clone());
                let flow = self.compound(compound, &input);
                self.put(&redirects, flow)
            }
            Command::Function(function) => self.function(function),
            Command::ExtendedTest(test, redirects) => {
                self.test(&test.expr);
                self.redirects(redirects.iter().flat_map(|list| &list.0));
                Flow::Nothing
            }
        }
    }

    fn compound(&mut self, compound: &CompoundCommand, input: &Flow) -> Flow {
        match compound {
            CompoundCommand::BraceGroup(group) => self.list(&group.list, input),
            CompoundCommand::Subshell(subshell) => self.apart(|walk| walk.list(&subshell.list, input)),
            CompoundCommand::Arithmetic(arithmetic) => {
                self.look_into(&arithmetic.expr.value);
                Flow::Nothing
            }
            CompoundCommand::ArithmeticForClause(clause) => {
                for part in [&clause.initializer, &clause.condition, &clause.updater].into_iter().flatten() {
                    self.look_into(&part.value);
                }
                self.aside(|walk| walk.list(&clause.body.list, input))
            }
            CompoundCommand::ForClause(clause) => {
                let values: Vec<Value> =
                    clause.values.iter().flatten().flat_map(|word| self.fields(&word.value)).collect();
                self.rounds(&clause.variable_name, values, &clause.body.list, input)
            }
            CompoundCommand::CaseClause(clause) => {
                self.value(&clause.value.value);
                let mut flow = Flow::Nothing;
                for case in &clause.cases {
                    case.patterns.iter().for_each(|word| self.look_into(&word.value));
                    let list = case.cmd.as_ref();
                    flow = flow
                        .then(list.map_or(Flow::Nothing, |list| self.aside(|walk| walk.list(list, input))));
                }
                flow
            }
            CompoundCommand::IfClause(clause) => {
                let mut flow = self.list(&clause.condition, input);
                flow = flow.then(self.aside(|walk| walk.list(&clause.then, input)));
                for other in clause.elses.iter().flatten() {
                    for list in other.condition.iter().chain([&other.body]) {
                        flow = flow.then(self.aside(|walk| walk.list(list, input)));
                    }
                }
                flow
            }
            CompoundCommand::WhileClause(clause) | CompoundCommand::UntilClause(clause) => {
                let flow = self.aside(|walk| walk.list(&clause.0, input));
                flow.then(self.aside(|walk| walk.list(&clause.1.list, input)))
            }
            CompoundCommand::Coprocess(coprocess) => self.apart(|walk| walk.command(&coprocess.body, input)),
        }
    }

    /// A loop over values: each that is known is looked at.
    fn rounds(&mut self, name: &str, values: Vec<Value>, body: &CompoundList, input: &Flow) -> Flow {
        let few = (1..=MOST_ROUNDS).contains(&values.len());
        let values = if few { values } else { vec![Value::unknown(Source::Unknown)] };
        let mut flow = Flow::Nothing;
        for value in values {
            self.vars.insert(name.to_owned(), value);
            flow = flow.then(self.aside(|walk| walk.list(body, input)));
        }
        self.vars.remove(name);
        flow
    }

    fn function(&mut self, function: &FunctionDefinition) -> Flow {
        let name = function.fname.value.clone();
        let before = self.seen.invocations.len();
        self.apart(|walk| walk.compound(&function.body.0, &Flow::From(Source::Unknown)));
        self.redirects(function.body.1.iter().flat_map(|list| &list.0));
        let calls_itself = self.seen.invocations[before..].iter().filter(|call| call.program == name).count();
        if 1 < calls_itself {
            self.found(Construct::ForkBomb, &name);
        }
        self.functions.insert(name);
        Flow::Nothing
    }

    fn test(&mut self, expression: &ExtendedTestExpr) {
        match expression {
            ExtendedTestExpr::And(left, right) | ExtendedTestExpr::Or(left, right) => {
                self.test(left);
                self.test(right);
            }
            ExtendedTestExpr::Not(inner) | ExtendedTestExpr::Parenthesized(inner) => self.test(inner),
            ExtendedTestExpr::UnaryTest(_, word) => self.look_into(&word.value),
            ExtendedTestExpr::BinaryTest(_, left, right) => {
                self.look_into(&left.value);
                self.look_into(&right.value);
            }
        }
    }

    fn simple(&mut self, simple: &SimpleCommand, input: &Flow) -> Flow {
        let prefix = simple.prefix.iter().flat_map(|prefix| &prefix.0);
        let suffix = simple.suffix.iter().flat_map(|suffix| &suffix.0);
        let (mut words, mut assigned, mut io) = (Vec::new(), Vec::new(), Vec::new());
        for item in prefix {
            match item {
                CommandPrefixOrSuffixItem::AssignmentWord(assignment, _) => {
                    assigned.extend(self.assignment(assignment));
                }
                other @ (CommandPrefixOrSuffixItem::IoRedirect(_)
                | CommandPrefixOrSuffixItem::Word(_)
                | CommandPrefixOrSuffixItem::ProcessSubstitution(..)) => {
                    self.item(other, &mut words, &mut io);
                }
            }
        }
        if let Some(name) = &simple.word_or_name {
            let fields = self.fields(&name.value);
            words.splice(0..0, fields);
        }
        for item in suffix {
            self.item(item, &mut words, &mut io);
        }
        let mut redirects = self.redirects(io.into_iter());
        let input = redirects.input.take().unwrap_or_else(|| input.clone());
        if words.is_empty() {
            for (name, value) in assigned {
                self.assign(&name, value);
            }
            let read = redirects.reads.first().map_or(Flow::Nothing, |_| Flow::From(Source::Unknown));
            self.note_writes(&redirects);
            return self.put(&redirects, read);
        }
        let flow = self.run(words, assigned, &redirects, &input);
        self.put(&redirects, flow)
    }

    fn item<'n>(
        &mut self,
        item: &'n CommandPrefixOrSuffixItem,
        words: &mut Vec<Value>,
        io: &mut Vec<&'n IoRedirect>,
    ) {
        match item {
            CommandPrefixOrSuffixItem::IoRedirect(redirect) => io.push(redirect),
            CommandPrefixOrSuffixItem::Word(word) | CommandPrefixOrSuffixItem::AssignmentWord(_, word) => {
                words.extend(self.fields(&word.value));
            }
            CommandPrefixOrSuffixItem::ProcessSubstitution(_, subshell) => words.push(self.process(subshell)),
        }
    }

    /// `<(…)`: a file that holds what the commands write.
    fn process(&mut self, subshell: &SubshellCommand) -> Value {
        let flow = self.apart(|walk| walk.list(&subshell.list, &Flow::From(Source::Unknown)));
        let name = format!("/dev/fd/{}", 63 + self.files.len());
        let file = Value::known(name);
        self.wrote(&file, &flow);
        file
    }

    fn assignment(&mut self, assignment: &Assignment) -> Vec<(String, Value)> {
        let name = match &assignment.name {
            AssignmentName::VariableName(name) => name.clone(),
            AssignmentName::ArrayElementName(name, index) => {
                self.look_into(index);
                name.clone()
            }
        };
        let value = match &assignment.value {
            AssignmentValue::Scalar(word) => self.value(&word.value),
            AssignmentValue::Array(elements) => {
                let mut all = Value::default();
                for (_, word) in elements {
                    for field in self.fields(&word.value) {
                        all.push_str(if all.is_empty() { "" } else { " " });
                        all.push(&field);
                    }
                }
                all
            }
        };
        let before = self.vars.get(&name).filter(|_| assignment.append).cloned();
        let value = before.map_or(value.clone(), |mut before| {
            before.push(&value);
            before
        });
        vec![(name, value)]
    }

    /// Where a command's input comes from and its output goes.
    fn redirects<'n>(&mut self, list: impl Iterator<Item = &'n IoRedirect>) -> Redirects {
        let mut all = Redirects::default();
        for redirect in list {
            match redirect {
                IoRedirect::File(fd, kind, target) => self.file(*fd, kind, target, &mut all),
                IoRedirect::HereDocument(_, here) => {
                    let text = if here.requires_expansion {
                        self.here_text(&here.doc.value)
                    } else {
                        Value::known(&here.doc.value)
                    };
                    all.input = Some(flow_of(text));
                }
                IoRedirect::HereString(_, word) => {
                    let text = self.value(&word.value);
                    all.input = Some(flow_of(text));
                }
                IoRedirect::OutputAndError(word, _) => {
                    let file = self.value(&word.value);
                    all.output = Some(file.clone());
                    all.writes.push(file);
                }
            }
        }
        all
    }

    fn file(
        &mut self,
        fd: Option<i32>,
        kind: &IoFileRedirectKind,
        target: &IoFileRedirectTarget,
        all: &mut Redirects,
    ) {
        let file = match target {
            IoFileRedirectTarget::Filename(word) => self.value(&word.value),
            IoFileRedirectTarget::ProcessSubstitution(_, subshell) => self.process(subshell),
            // `>&2` names another output, `>&file` a file.
            IoFileRedirectTarget::Duplicate(word) => {
                let file = self.value(&word.value);
                let plain = |c: char| c.is_ascii_digit() || c == '-';
                if file.is_known() && file.text().chars().all(plain) {
                    return;
                }
                file
            }
            IoFileRedirectTarget::Fd(_) => return,
        };
        match kind {
            IoFileRedirectKind::Read | IoFileRedirectKind::DuplicateInput => {
                let known = self.written(&file).cloned();
                all.input = Some(known.unwrap_or(Flow::From(Source::Unknown)));
                all.reads.push(file);
            }
            IoFileRedirectKind::Write
            | IoFileRedirectKind::Append
            | IoFileRedirectKind::ReadAndWrite
            | IoFileRedirectKind::Clobber
            | IoFileRedirectKind::DuplicateOutput => {
                if fd.unwrap_or(1) == 1 {
                    all.output = Some(file.clone());
                }
                all.writes.push(file);
            }
        }
    }

    /// What is left of an output after redirects.
    fn put(&mut self, redirects: &Redirects, flow: Flow) -> Flow {
        match &redirects.output {
            Some(file) => {
                self.wrote(file, &flow);
                Flow::Nothing
            }
            None => flow,
        }
    }
}

fn flow_of(value: Value) -> Flow {
    match value.source {
        None => Flow::Known(format!("{}\n", value.text())),
        Some(source) => Flow::From(source),
    }
}
