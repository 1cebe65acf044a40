//! Words: quotes, variables, substitutions, braces, as far as they are known before they run.

use std::iter::Peekable;
use std::str::Chars;

use brush_parser::ParserOptions;
use brush_parser::word::{
    self, BraceExpressionMember, BraceExpressionOrText, Parameter, ParameterExpr, SpecialParameter,
    TildeExpr, WordPiece, WordPieceWithSource,
};

use super::table::Construct;
use super::value::{Source, Value};
use super::walk::Walk;

/// Words that one word with braces may become; with more it is not read further.
const MOST_WORDS: usize = 64;

/// Variables that people set to a tool, and the tool.
const TOOLS: &[(&str, &str)] = &[
    ("CARGO", "cargo"),
    ("CC", "cc"),
    ("CXX", "c++"),
    ("GIT", "git"),
    ("GO", "go"),
    ("MAKE", "make"),
    ("NODE", "node"),
    ("NPM", "npm"),
    ("PYTHON", "python"),
    ("PYTHON3", "python3"),
    ("PIP", "pip"),
    ("RUSTC", "rustc"),
];

/// The fields that a word becomes.
#[derive(Default)]
struct Fields {
    done: Vec<Value>,
    open: Option<Value>,
}

impl Fields {
    fn append(&mut self, value: &Value) {
        self.open.get_or_insert_with(Value::default).push(value);
    }

    /// What is not quoted is split; the first part joins what stands before it.
    fn append_split(&mut self, value: &Value) {
        let text = value.text();
        if text.starts_with(char::is_whitespace) {
            self.done.extend(self.open.take());
        }
        for (at, part) in value.split().iter().enumerate() {
            if 0 < at {
                self.done.extend(self.open.take());
            }
            self.append(part);
        }
        if text.ends_with(char::is_whitespace) {
            self.done.extend(self.open.take());
        }
    }

    fn finish(mut self) -> Vec<Value> {
        self.done.extend(self.open.take());
        self.done
    }
}

impl Walk<'_> {
    /// The fields that a word of a command becomes.
    pub(super) fn fields(&mut self, raw: &str) -> Vec<Value> {
        let mut all = Vec::new();
        for text in self.braces(raw) {
            let mut fields = Fields::default();
            match word::parse(&text, &ParserOptions::default()) {
                Ok(pieces) => self.pieces(&pieces, false, &mut fields),
                Err(_) => {
                    self.found(Construct::Unreadable, raw);
                    fields.append(&Value::unknown(Source::Unknown));
                }
            }
            all.extend(fields.finish());
        }
        all
    }

    /// A word where a shell does not split: the right side of an assignment, a file behind `>`.
    pub(super) fn value(&mut self, raw: &str) -> Value {
        let Ok(pieces) = word::parse(raw, &ParserOptions::default()) else {
            self.found(Construct::Unreadable, raw);
            return Value::unknown(Source::Unknown);
        };
        self.joined(&pieces)
    }

    /// The text of a here-document in which variables and substitutions count.
    pub(super) fn here_text(&mut self, raw: &str) -> Value {
        let Ok(pieces) = word::parse_heredoc(raw, &ParserOptions::default()) else {
            self.found(Construct::Unreadable, raw);
            return Value::unknown(Source::Unknown);
        };
        self.joined(&pieces)
    }

    fn joined(&mut self, pieces: &[WordPieceWithSource]) -> Value {
        let mut fields = Fields::default();
        self.pieces(pieces, true, &mut fields);
        let mut joined = Value::default();
        fields.finish().iter().for_each(|field| joined.push(field));
        joined
    }

    /// Looks for substitutions in a text that is no word of a command: an arithmetic expression, a default value.
    pub(super) fn look_into(&mut self, raw: &str) {
        if raw.contains(['$', '`']) {
            self.value(raw);
        }
    }

    fn braces(&mut self, raw: &str) -> Vec<String> {
        let lists = raw.contains('{') && (raw.contains(',') || raw.contains(".."));
        // Only what is not quoted is a list: a program in another language is full of braces.
        if !lists || raw.starts_with(['\'', '"']) {
            return vec![raw.to_owned()];
        }
        match expand_braces(raw) {
            Some(words) => words,
            None => {
                self.found(Construct::TooDeep, raw);
                vec![raw.to_owned()]
            }
        }
    }

    fn pieces(&mut self, pieces: &[WordPieceWithSource], quoted: bool, fields: &mut Fields) {
        for piece in pieces {
            self.piece(&piece.piece, quoted, fields);
        }
    }

    fn piece(&mut self, piece: &WordPiece, quoted: bool, fields: &mut Fields) {
        let put = |fields: &mut Fields, value: &Value| {
            if quoted { fields.append(value) } else { fields.append_split(value) }
        };
        match piece {
            WordPiece::Text(text) | WordPiece::SingleQuotedText(text) => fields.append(&Value::known(text)),
            WordPiece::AnsiCQuotedText(text) => fields.append(&Value::known(unescape(text))),
            WordPiece::DoubleQuotedSequence(inner) | WordPiece::GettextDoubleQuotedSequence(inner) => {
                fields.append(&Value::default());
                self.pieces(inner, true, fields);
            }
            WordPiece::TildeExpansion(tilde) => fields.append(&self.tilde(tilde)),
            WordPiece::ParameterExpansion(expression) => {
                let value = self.parameter(expression);
                put(fields, &value);
            }
            WordPiece::CommandSubstitution(text) => {
                let value = self.substitution(text);
                put(fields, &value);
            }
            WordPiece::BackquotedCommandSubstitution(text) => {
                let plain = text.replace("\\`", "`").replace("\\$", "$").replace("\\\\", "\\");
                let value = self.substitution(&plain);
                put(fields, &value);
            }
            WordPiece::EscapeSequence(text) => {
                let plain = text.strip_prefix('\\').unwrap_or(text);
                fields.append(&Value::known(if plain == "\n" { "" } else { plain }));
            }
            WordPiece::ArithmeticExpression(expression) => {
                self.look_into(&expression.value);
                fields.append(&Value::known("0"));
            }
        }
    }

    fn tilde(&self, tilde: &TildeExpr) -> Value {
        match tilde {
            TildeExpr::Home => Value::known(&self.place.home),
            TildeExpr::UserHome(user) if user == "root" => Value::known("/root"),
            TildeExpr::UserHome(user) => Value::known(format!("/home/{user}")),
            TildeExpr::WorkingDir => self.here(),
            TildeExpr::OldWorkingDir
            | TildeExpr::NthDirFromTopOfDirStack { .. }
            | TildeExpr::NthDirFromBottomOfDirStack { .. } => Value::unknown(Source::Unknown),
        }
    }

    /// Where the shell is.
    pub(super) fn here(&self) -> Value {
        self.cwd.as_ref().map_or_else(|| Value::unknown(Source::Unknown), Value::known)
    }

    fn parameter(&mut self, expression: &ParameterExpr) -> Value {
        let hole = || Value::unknown(Source::Unknown);
        match expression {
            ParameterExpr::Parameter { parameter, indirect } => {
                let value = self.variable(parameter);
                match (indirect, value.is_known()) {
                    (false, _) => value,
                    (true, true) => self.variable(&Parameter::Named(value.text().to_owned())),
                    (true, false) => hole(),
                }
            }
            ParameterExpr::UseDefaultValues { parameter, default_value, .. }
            | ParameterExpr::AssignDefaultValues { parameter, default_value, .. } => {
                let default = default_value.as_deref().map(|raw| self.value(raw)).unwrap_or_default();
                match self.known_variable(parameter) {
                    Some(value) => value,
                    // Most are not set: what stands there is what it mostly is, and what is judged.
                    None => default,
                }
            }
            ParameterExpr::UseAlternativeValue { alternative_value: text, .. } => {
                text.as_deref().map(|raw| self.value(raw)).unwrap_or_default()
            }
            ParameterExpr::IndicateErrorIfNullOrUnset { parameter, error_message, .. } => {
                error_message.iter().for_each(|raw| self.look_into(raw));
                self.variable(parameter)
            }
            ParameterExpr::ParameterLength { .. } => Value::known("0"),
            ParameterExpr::RemoveSmallestSuffixPattern { pattern, .. }
            | ParameterExpr::RemoveLargestSuffixPattern { pattern, .. }
            | ParameterExpr::RemoveSmallestPrefixPattern { pattern, .. }
            | ParameterExpr::RemoveLargestPrefixPattern { pattern, .. }
            | ParameterExpr::UppercaseFirstChar { pattern, .. }
            | ParameterExpr::UppercasePattern { pattern, .. }
            | ParameterExpr::LowercaseFirstChar { pattern, .. }
            | ParameterExpr::LowercasePattern { pattern, .. } => {
                pattern.iter().for_each(|raw| self.look_into(raw));
                hole()
            }
            ParameterExpr::ReplaceSubstring { pattern, replacement, .. } => {
                self.look_into(pattern);
                replacement.iter().for_each(|raw| self.look_into(raw));
                hole()
            }
            ParameterExpr::Substring { parameter, offset, length, .. } => {
                self.look_into(&offset.value);
                length.iter().for_each(|length| self.look_into(&length.value));
                let whole = self.variable(parameter);
                substring(&whole, &offset.value, length.as_ref().map(|length| length.value.as_str()))
            }
            ParameterExpr::Transform { .. }
            | ParameterExpr::VariableNames { .. }
            | ParameterExpr::MemberKeys { .. } => hole(),
        }
    }

    fn variable(&mut self, parameter: &Parameter) -> Value {
        if let Parameter::NamedWithIndex { index, .. } = parameter {
            self.look_into(index);
        }
        self.known_variable(parameter).unwrap_or_else(|| Value::unknown(Source::Unknown))
    }

    fn known_variable(&self, parameter: &Parameter) -> Option<Value> {
        match parameter {
            Parameter::Named(name)
            | Parameter::NamedWithIndex { name, .. }
            | Parameter::NamedWithAllIndices { name, .. } => {
                self.vars.get(name).cloned().or_else(|| self.given(name))
            }
            Parameter::Special(
                SpecialParameter::ProcessId
                | SpecialParameter::LastBackgroundProcessId
                | SpecialParameter::LastExitStatus
                | SpecialParameter::PositionalParameterCount,
            ) => Some(Value::known("12345")),
            Parameter::Special(_) | Parameter::Positional(_) => None,
        }
    }

    /// Variables that are there without being set.
    fn given(&self, name: &str) -> Option<Value> {
        match name {
            "HOME" => Some(Value::known(&self.place.home)),
            "PWD" => Some(self.here()),
            "TMPDIR" | "TMP" | "TEMP" | "RUNNER_TEMP" => Some(Value::known("/tmp")),
            "IFS" => Some(Value::known(" ")),
            "BASHPID" | "PPID" | "RANDOM" | "SECONDS" | "UID" | "EUID" | "LINENO" => {
                Some(Value::known("12345"))
            }
            "SHELL" | "BASH" => Some(Value::known("/bin/bash")),
            _ => TOOLS.iter().find(|(tool, _)| *tool == name).map(|(_, tool)| Value::known(*tool)),
        }
    }
}

/// `${x:1:2}`, where both numbers are plain.
fn substring(whole: &Value, offset: &str, length: Option<&str>) -> Value {
    let number = |text: &str| text.trim().parse::<usize>().ok();
    let hole = || Value::unknown(Source::Unknown);
    let (true, Some(offset)) = (whole.is_known(), number(offset)) else { return hole() };
    let rest = whole.text().chars().skip(offset);
    match length.map(number) {
        None => Value::known(rest.collect::<String>()),
        Some(Some(length)) => Value::known(rest.take(length).collect::<String>()),
        Some(None) => hole(),
    }
}

/// The words that a word with braces becomes; `None` when they are too many.
fn expand_braces(raw: &str) -> Option<Vec<String>> {
    match word::parse_brace_expansions(raw, &ParserOptions::default()) {
        Ok(Some(parts)) => combine(&parts),
        Ok(None) | Err(_) => Some(vec![raw.to_owned()]),
    }
}

fn combine(parts: &[BraceExpressionOrText]) -> Option<Vec<String>> {
    let mut words = vec![String::new()];
    for part in parts {
        let options = match part {
            BraceExpressionOrText::Text(text) => vec![text.clone()],
            BraceExpressionOrText::Expr(members) => {
                let members: Option<Vec<_>> = members.iter().map(member).collect();
                members?.concat()
            }
        };
        if MOST_WORDS < words.len() * options.len() {
            return None;
        }
        words = words.iter().flat_map(|word| options.iter().map(move |it| format!("{word}{it}"))).collect();
    }
    Some(words)
}

fn member(member: &BraceExpressionMember) -> Option<Vec<String>> {
    match member {
        BraceExpressionMember::Child(parts) => combine(parts),
        // A row of numbers or letters names no program and no folder that matters: its ends stand for it.
        BraceExpressionMember::NumberSequence { start, end, .. } => {
            Some(vec![start.to_string(), end.to_string()])
        }
        BraceExpressionMember::CharSequence { start, end, .. } => {
            Some(vec![start.to_string(), end.to_string()])
        }
    }
}

/// What the escapes of `$'…'`, `echo -e` and `printf` stand for.
pub(super) fn unescape(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(letter) = chars.next() {
        let escaped = match (letter, chars.peek().copied().filter(|_| letter == '\\')) {
            (plain, None) => Some(plain),
            (_, Some(octal @ '0'..='7')) => {
                // `\0NNN` is how `echo -e` writes what `$'…'` writes as `\NNN`.
                let most = if octal == '0' { 4 } else { 3 };
                bytes.extend(number(&mut chars, most, 8).map(|code| code.to_le_bytes()[0]));
                None
            }
            (_, Some(kind)) => {
                chars.next();
                match kind {
                    'n' => Some('\n'),
                    't' => Some('\t'),
                    'r' => Some('\r'),
                    'a' | 'b' | 'e' | 'E' | 'f' | 'v' => Some(' '),
                    'x' => {
                        bytes.extend(number(&mut chars, 2, 16).map(|code| code.to_le_bytes()[0]));
                        None
                    }
                    'u' => number(&mut chars, 4, 16).and_then(char::from_u32),
                    'U' => number(&mut chars, 8, 16).and_then(char::from_u32),
                    other => Some(other),
                }
            }
        };
        bytes.extend(escaped.into_iter().flat_map(|it| it.to_string().into_bytes()));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn number(chars: &mut Peekable<Chars<'_>>, most: usize, radix: u32) -> Option<u32> {
    let mut digits = String::new();
    while digits.len() < most && chars.peek().is_some_and(|digit| digit.is_digit(radix)) {
        digits.extend(chars.next());
    }
    u32::from_str_radix(&digits, radix).ok()
}
