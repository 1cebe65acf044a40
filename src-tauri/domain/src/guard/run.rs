//! What programs run that run others: builtins, wrappers, shells, interpreters; and what they write.

use super::invocation::{Invocation, Redirects};
use super::table::Construct;
use super::value::{Flow, Source, Value};
use super::walk::Walk;
use super::words::unescape;

/// Shells, which take a program by `-c`, from a file or from standard input.
pub(super) const SHELLS: &[&str] = &[
    "sh",
    "bash",
    "zsh",
    "dash",
    "ksh",
    "mksh",
    "ash",
    "fish",
    "rbash",
    "csh",
    "tcsh",
    "pwsh",
    "powershell",
    "sh.exe",
    "bash.exe",
];
/// Interpreters, and the options that are followed by a program.
pub(super) const INTERPRETERS: &[(&str, &[&str])] = &[
    ("python", &["-c"]),
    ("perl", &["-e", "-E", "-ne", "-pe", "-ane", "-lne", "-0777"]),
    ("ruby", &["-e", "-ne", "-pe"]),
    ("node", &["-e", "--eval", "-p", "--print", "-pe"]),
    ("nodejs", &["-e", "--eval", "-p"]),
    ("deno", &["eval"]),
    ("bun", &["-e", "--eval"]),
    ("php", &["-r"]),
    ("lua", &["-e"]),
    ("osascript", &["-e"]),
    ("rscript", &["-e"]),
    ("tclsh", &[]),
    ("expect", &["-c"]),
    ("pypy", &["-c"]),
    ("julia", &["-e"]),
    ("elixir", &["-e"]),
    ("groovy", &["-e"]),
    ("jshell", &[]),
    ("scala", &["-e"]),
    ("ghc", &["-e"]),
    ("emacs", &["--eval"]),
    ("guile", &["-c"]),
    ("sbcl", &["--eval"]),
];

/// A program that runs another one.
struct Wrapper {
    name: &'static str,
    /// Options that are followed by a value.
    takes: &'static [&'static str],
    /// Operands before the program.
    skips: usize,
}

const fn wrapper(name: &'static str, takes: &'static [&'static str], skips: usize) -> Wrapper {
    Wrapper { name, takes, skips }
}

const WRAPPERS: &[Wrapper] = &[
    wrapper(
        "sudo",
        &["-u", "-g", "-h", "-p", "-C", "-D", "-R", "-T", "-U", "-r", "-t", "--user", "--group", "--chdir"],
        0,
    ),
    wrapper("doas", &["-u", "-C"], 0),
    wrapper("pkexec", &["--user"], 0),
    wrapper("runuser", &["-u", "-g"], 0),
    wrapper("gosu", &[], 1),
    wrapper("su-exec", &[], 1),
    wrapper("setpriv", &["--reuid", "--regid", "--groups", "--securebits"], 0),
    wrapper("nohup", &[], 0),
    wrapper("setsid", &[], 0),
    wrapper("nice", &["-n", "--adjustment"], 0),
    wrapper("ionice", &["-c", "-n", "-p"], 0),
    wrapper("chrt", &["-p"], 1),
    wrapper("taskset", &[], 1),
    wrapper("timeout", &["-s", "-k", "--signal", "--kill-after"], 1),
    wrapper("gtimeout", &["-s", "-k"], 1),
    wrapper("time", &["-f", "-o"], 0),
    wrapper("stdbuf", &["-i", "-o", "-e"], 0),
    wrapper("unbuffer", &[], 0),
    wrapper("command", &[], 0),
    wrapper("builtin", &[], 0),
    wrapper("exec", &["-a"], 0),
    wrapper("coproc", &[], 0),
    wrapper("busybox", &[], 0),
    wrapper("toybox", &[], 0),
    wrapper("chroot", &["--userspec", "--groups"], 1),
    wrapper("unshare", &[], 0),
    wrapper("nsenter", &["-t", "--target"], 0),
    wrapper("firejail", &[], 0),
    wrapper("strace", &["-o", "-e", "-p", "-s"], 0),
    wrapper("ltrace", &["-o", "-e"], 0),
    wrapper("valgrind", &[], 0),
    wrapper("catchsegv", &[], 0),
    wrapper("flock", &["-w", "-E", "--timeout"], 1),
    wrapper("watch", &["-n", "--interval"], 0),
    wrapper("parallel", &["-j", "--jobs", "-a", "--delay"], 0),
    wrapper(
        "xargs",
        &["-I", "-n", "-P", "-L", "-s", "-d", "-a", "-E", "--max-args", "--max-procs", "--delimiter"],
        0,
    ),
    wrapper("env", &["-u", "-C", "--unset", "--chdir"], 0),
    wrapper("dotenv", &["-f", "-e"], 0),
    wrapper("direnv", &[], 2),
    wrapper("dbus-run-session", &[], 0),
    wrapper("systemd-run", &["-p", "--unit", "--property"], 0),
    wrapper("fakeroot", &[], 0),
    wrapper("proot", &["-b", "-w", "-r"], 0),
    wrapper("prlimit", &[], 0),
    wrapper("script", &[], 9),
    wrapper("eatmydata", &[], 0),
    wrapper("caffeinate", &["-t", "-w"], 0),
    wrapper("winpty", &[], 0),
    wrapper("rlwrap", &[], 0),
    wrapper("xvfb-run", &["-s", "-n", "--server-args"], 0),
    wrapper("poetry", &[], 1),
    wrapper("pipenv", &[], 1),
    wrapper("uv", &["--with"], 1),
    wrapper("bundle", &[], 1),
    wrapper("npx", &["-p", "--package"], 0),
];

/// Programs that hand what they read on, changed or not.
const FILTERS: &[&str] = &[
    "tee", "sed", "grep", "egrep", "fgrep", "head", "tail", "tr", "cut", "awk", "gawk", "mawk", "sort",
    "uniq", "rev", "tac", "jq", "yq", "fold", "fmt", "expand", "pv", "strings", "dd", "column", "nl",
    "iconv", "dos2unix", "rg",
];
/// Programs that make another text of what they read.
const DECODERS: &[&str] = &[
    "base64", "base32", "basenc", "gbase64", "xxd", "openssl", "gunzip", "gzip", "zcat", "bzcat", "xzcat",
    "xz", "bunzip2", "zstd", "unzip", "uudecode", "od", "hexdump", "gpg", "tar", "bzip2", "lz4", "brotli",
    "age", "ascii85",
];
/// Programs that fetch from the network.
pub(super) const FETCHERS: &[&str] = &[
    "curl", "wget", "wget2", "fetch", "aria2c", "http", "https", "xh", "lynx", "w3m", "links", "httpie",
    "iwr", "irm", "nc", "ncat", "socat", "netcat",
];

impl Walk<'_> {
    /// Walks a program with its words; gives what it writes to standard output.
    pub(super) fn run(
        &mut self,
        words: Vec<Value>,
        assigned: Vec<(String, Value)>,
        redirects: &Redirects,
        input: &Flow,
    ) -> Flow {
        let shown = words.iter().map(Value::shown).collect::<Vec<_>>().join(" ");
        if !self.spend(&shown) {
            return Flow::From(Source::Unknown);
        }
        let (first, args) = (words[0].clone(), words[1..].to_vec());
        let program = self.name_of(&first, &shown);
        self.downloaded(&first, &shown);
        let mut invocation = Invocation {
            program: program.clone(),
            args,
            assigned,
            writes: redirects.writes.clone(),
            reads: redirects.reads.clone(),
            cwd: self.cwd.clone(),
            ..Invocation::default()
        };
        let flow = self.inner(&mut invocation, input);
        self.seen.invocations.push(invocation);
        flow
    }

    /// Redirects without a program (`> file`) write all the same.
    pub(super) fn note_writes(&mut self, redirects: &Redirects) {
        if !redirects.writes.is_empty() || !redirects.reads.is_empty() {
            self.seen.invocations.push(Invocation {
                program: ":".to_owned(),
                writes: redirects.writes.clone(),
                reads: redirects.reads.clone(),
                cwd: self.cwd.clone(),
                ..Invocation::default()
            });
        }
    }

    /// A program's name; one that only running tells is noted.
    fn name_of(&mut self, first: &Value, shown: &str) -> String {
        let name = first.last_component().unwrap_or_default().to_lowercase();
        let strange =
            name.chars().any(|c| !c.is_ascii_graphic()) || name.contains(['*', '?', '\\', '"', '\'']);
        // `[` is a program, `a[b]` is a pattern.
        let pattern =
            first.text().contains(['*', '?']) || (first.text().contains('[') && 2 < first.text().len());
        if name.is_empty() || strange || pattern {
            let construct = match first.source {
                Some(Source::Network) => Construct::DownloadToShell,
                Some(Source::Decoded) => Construct::DecodeToShell,
                Some(Source::Unknown) | None => Construct::UnknownProgram,
            };
            if !first.is_empty() || first.source.is_some() {
                self.found(construct, shown);
            }
            return String::new();
        }
        name.strip_suffix(".exe").map_or(name.clone(), str::to_owned)
    }

    /// A program that the command itself fetched or wrote.
    fn downloaded(&mut self, first: &Value, shown: &str) {
        if !first.text().contains('/') {
            return;
        }
        match self.written(first).cloned() {
            Some(Flow::From(source)) => self.runs_from(source, shown),
            Some(Flow::Known(text)) => {
                self.apart(|walk| walk.text(&text));
            }
            Some(Flow::Nothing) | None => {}
        }
    }

    pub(super) fn runs_from(&mut self, source: Source, shown: &str) {
        let construct = match source {
            Source::Network => Construct::DownloadToShell,
            Source::Decoded => Construct::DecodeToShell,
            Source::Unknown => Construct::UnknownText,
        };
        self.found(construct, shown);
    }

    /// A text that a shell runs.
    pub(super) fn shell_text(&mut self, text: &Value, shown: &str) -> Flow {
        match text.source {
            None => {
                let text = text.text().to_owned();
                self.text(&text)
            }
            Some(source) => {
                // What is known of it is looked at as well: `sh -c "rm -rf / $x"`.
                self.runs_from(source, shown);
                let known = text.shown().replace('…', " ");
                self.apart(|walk| walk.text(&known));
                Flow::From(source)
            }
        }
    }

    pub(super) fn shell_input(&mut self, input: &Flow, shown: &str) -> Flow {
        match input {
            Flow::Nothing => Flow::From(Source::Unknown),
            Flow::Known(text) => self.apart(|walk| walk.text(text)),
            Flow::From(source) => {
                let construct =
                    if *source == Source::Unknown { Construct::PipeToShell } else { construct_of(*source) };
                self.found(construct, shown);
                Flow::From(*source)
            }
        }
    }

    /// What a program does with what it is given.
    fn inner(&mut self, call: &mut Invocation, input: &Flow) -> Flow {
        let shown = call.shown();
        let name = call.program.clone();
        if SHELLS.contains(&name.as_str()) {
            return self.shell(call, input, &shown);
        }
        if let Some((_, options)) = interpreter(&name) {
            return self.interpreter(call, options, input, &shown);
        }
        if let Some(wrapper) = WRAPPERS.iter().find(|wrapper| wrapper.name == name) {
            return self.wrapped(wrapper, call, input);
        }
        match name.as_str() {
            "cd" | "pushd" | "chdir" => {
                let folder = call.operands(&[]).first().copied().cloned();
                self.go_to(folder.as_ref());
            }
            "popd" => self.cwd = None,
            "export" | "declare" | "typeset" | "local" | "readonly" | "set" => self.declares(call),
            "read" | "mapfile" | "readarray" | "unset" | "getopts" => {
                call.args.iter().for_each(|arg| {
                    self.vars.remove(arg.text());
                });
            }
            "eval" => {
                let text = joined(&call.args);
                return self.shell_text(&text, &shown);
            }
            "source" | "." => self.sources(call, &shown),
            "alias" => self.texts_after_equals(call),
            "trap" => {
                if let Some(text) = call.operands(&[]).first().copied().cloned() {
                    self.apart(|walk| walk.shell_text(&text, &shown));
                }
            }
            "su" | "sg" | "tmux" | "screen" | "ssh" | "nix-shell" | "nix" | "at" | "batch" | "git"
            | "find" | "fd" => {
                return self.runs_others(call, input, &shown);
            }
            "psql" | "mysql" | "mariadb" | "sqlite3" | "mongosh" | "redis-cli" => {
                if let Flow::Known(text) = input {
                    call.code.push(text.clone());
                }
            }
            _ => {}
        }
        self.output(call, input)
    }

    fn declares(&mut self, call: &Invocation) {
        for arg in &call.args {
            if let Some((name, value)) = arg.text().split_once('=') {
                self.assign(name, Value::part(value, arg.source));
            }
        }
    }

    fn sources(&mut self, call: &Invocation, shown: &str) {
        let Some(file) = call.args.first() else { return };
        match self.written(file).cloned() {
            Some(Flow::Known(text)) => {
                self.text(&text);
            }
            Some(Flow::From(source)) => self.runs_from(source, shown),
            Some(Flow::Nothing) | None if file.source == Some(Source::Network) => {
                self.runs_from(Source::Network, shown);
            }
            Some(Flow::Nothing) | None => {}
        }
    }

    fn texts_after_equals(&mut self, call: &Invocation) {
        for arg in &call.args {
            if let Some((_, text)) = arg.text().split_once('=') {
                let text = text.to_owned();
                self.apart(|walk| walk.text(&text));
            }
        }
    }

    fn shell(&mut self, call: &Invocation, input: &Flow, shown: &str) -> Flow {
        let args = call.args.clone();
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            let text = arg.text();
            let is_option = text.starts_with(['-', '+']) && 1 < text.len();
            if is_option && !text.starts_with("--") && text.contains('c')
                || text.eq_ignore_ascii_case("-command")
            {
                let Some(program) = rest.find(|arg| !arg.text().starts_with('-')) else { break };
                return self.apart(|walk| walk.shell_text(program, shown));
            }
            if text.eq_ignore_ascii_case("-encodedcommand") || text.eq_ignore_ascii_case("-enc") {
                self.found(Construct::DecodeToShell, shown);
                return Flow::From(Source::Unknown);
            }
            if matches!(text, "-o" | "+o" | "-O" | "--rcfile" | "--init-file") {
                rest.next();
            } else if is_option && text.contains('s') && !text.starts_with("--") {
                return self.shell_input(input, shown);
            } else if !is_option {
                return self.shell_file(arg, input, shown);
            }
        }
        self.shell_input(input, shown)
    }

    fn shell_file(&mut self, file: &Value, input: &Flow, shown: &str) -> Flow {
        if matches!(file.text(), "/dev/stdin" | "-" | "/proc/self/fd/0" | "/dev/fd/0") {
            return self.shell_input(input, shown);
        }
        match (self.written(file).cloned(), file.source) {
            (Some(Flow::Known(text)), _) => self.apart(|walk| walk.text(&text)),
            (Some(Flow::From(source)), _) | (_, Some(source @ (Source::Network | Source::Decoded))) => {
                self.runs_from(source, shown);
                Flow::From(source)
            }
            (Some(Flow::Nothing) | None, _) => Flow::From(Source::Unknown),
        }
    }

    fn interpreter(&mut self, call: &mut Invocation, options: &[&str], input: &Flow, shown: &str) -> Flow {
        if let Some(code) = call.after(options) {
            if let Some(source @ (Source::Network | Source::Decoded)) = code.source {
                self.runs_from(source, shown);
            }
            call.code.push(code.shown());
            return Flow::From(Source::Unknown);
        }
        let file = call.operands(&["-m", "-W", "-X", "-I", "-r", "--require", "--import", "--loader"]);
        match file.first().copied() {
            Some(file) if !matches!(file.text(), "-" | "/dev/stdin") => {
                if let Some(flow) = self.written(file).cloned() {
                    self.code_from(call, &flow, shown);
                } else if let Some(source @ (Source::Network | Source::Decoded)) = file.source {
                    self.runs_from(source, shown);
                }
            }
            // `python -m json.tool` reads data, not a program.
            _ if call.has("-m") || call.any(&["--version", "-V", "-v", "--help", "-h", "--test"]) => {}
            _ => self.code_from(call, &input.clone(), shown),
        }
        Flow::From(Source::Unknown)
    }

    fn code_from(&mut self, call: &mut Invocation, flow: &Flow, shown: &str) {
        match flow {
            Flow::Nothing => {}
            Flow::Known(code) => call.code.push(code.clone()),
            Flow::From(Source::Unknown) => self.found(Construct::PipeToShell, shown),
            Flow::From(source) => self.runs_from(*source, shown),
        }
    }

    fn wrapped(&mut self, wrapper: &Wrapper, call: &mut Invocation, input: &Flow) -> Flow {
        let mut rest = call.args.iter().cloned().peekable();
        let (mut skips, mut set) = (wrapper.skips, Vec::new());
        let mut words = Vec::new();
        while let Some(arg) = rest.next() {
            let text = arg.text().to_owned();
            if let Some(text) = call_string(wrapper.name, &text, rest.peek()) {
                let shown = call.shown();
                return self.apart(|walk| walk.shell_text(&text, &shown));
            }
            if words.is_empty() && text.starts_with('-') && 1 < text.len() && skips < 9 {
                if wrapper.takes.contains(&text.as_str()) {
                    rest.next();
                }
            } else if words.is_empty()
                && matches!(wrapper.name, "env" | "sudo" | "doas")
                && is_assignment(&text)
            {
                let (name, value) = text.split_once('=').unwrap_or((&text, ""));
                set.push((name.to_owned(), Value::part(value, arg.source)));
            } else if words.is_empty() && 0 < skips {
                skips -= 1;
            } else {
                words.push(arg);
            }
        }
        call.assigned.extend(set);
        if matches!(wrapper.name, "command" | "builtin") && call.any(&["-v", "-V"]) {
            return words.first().map_or(Flow::Nothing, |word| Flow::Known(word.shown()));
        }
        if words.is_empty() {
            return self.output(call, input);
        }
        if matches!(wrapper.name, "xargs" | "parallel") {
            return self.with_input(wrapper.name, words, input);
        }
        if wrapper.name == "watch"
            || (words.len() == 1 && words[0].text().contains(' ') && wrapper.name != "exec")
        {
            let (text, shown) = (joined(&words), call.shown());
            return self.apart(|walk| walk.shell_text(&text, &shown));
        }
        self.run(words, Vec::new(), &Redirects::default(), input)
    }

    /// `xargs`: the program runs with words of the input.
    fn with_input(&mut self, name: &str, mut words: Vec<Value>, input: &Flow) -> Flow {
        let given = match input {
            Flow::Known(text) => Value::known(text.trim_end()),
            Flow::From(source) => Value::unknown(*source),
            Flow::Nothing => Value::unknown(Source::Unknown),
        };
        let place = words.iter().position(|word| matches!(word.text(), "{}" | "%" | "@" | "_"));
        match place {
            Some(at) => words[at] = given,
            None if words.len() == 1 && name == "parallel" && words[0].text().contains("{}") => {
                words[0] = Value::known(words[0].text().replace("{}", &given.shown()));
            }
            None => words.extend(if given.is_known() { given.split() } else { vec![given] }),
        }
        let before = self.seen.invocations.len();
        // `xargs sh -c '… "$1"' _`: the text is known, its words are not.
        let flow = self.apart(|walk| walk.run(words, Vec::new(), &Redirects::default(), &Flow::Nothing));
        for call in &mut self.seen.invocations[before..] {
            call.many = true;
        }
        flow
    }

    /// What a command writes to standard output.
    pub(super) fn output(&mut self, call: &Invocation, input: &Flow) -> Flow {
        let name = call.program.as_str();
        let text = |args: &[Value]| args.iter().all(Value::is_known).then(|| joined(args).shown());
        match name {
            "echo" => echo(&call.args, text),
            "printf" => printf(&call.args),
            "cat" | "tac" if call.operands(&[]).is_empty() => input.clone(),
            "cat" | "bat" | "head" | "tail" if self.reads_written(call).is_some() => {
                self.reads_written(call).unwrap_or_default()
            }
            "cat" | "bat" | "less" | "more" => Flow::From(Source::Unknown),
            "pwd" => Flow::Known(self.here().shown()),
            "mktemp" => Flow::Known("/tmp/mktemp.0".to_owned()),
            "which" | "readlink" | "realpath" if call.operands(&[]).len() == 1 => {
                let operand = call.operands(&[])[0];
                if operand.is_known() { Flow::Known(operand.shown()) } else { Flow::From(Source::Unknown) }
            }
            "tee" => {
                for file in call.operands(&[]) {
                    let file = file.clone();
                    self.wrote(&file, input);
                }
                input.clone()
            }
            "cp" | "mv" | "install" => {
                self.copies(call);
                Flow::Nothing
            }
            _ if FETCHERS.contains(&name) => self.fetches(call),
            _ if DECODERS.contains(&name) => Flow::From(match input {
                Flow::From(source) => (*source).max(Source::Decoded),
                Flow::Nothing | Flow::Known(_) => Source::Decoded,
            }),
            _ if FILTERS.contains(&name) => input.filtered(),
            "rm" | "mkdir" | "touch" | "chmod" | "cd" | "true" | ":" | "sleep" | "export" | "set"
            | "test" | "[" => Flow::Nothing,
            _ => Flow::From(Source::Unknown),
        }
    }

    fn reads_written(&self, call: &Invocation) -> Option<Flow> {
        let files = call.operands(&["-n", "-c"]);
        let mut all = Flow::Nothing;
        for file in &files {
            all = all.then(self.written(file)?.clone());
        }
        (!files.is_empty()).then_some(all)
    }

    fn copies(&mut self, call: &Invocation) {
        let operands: Vec<Value> = call.operands(&["-t", "-m", "-o", "-g"]).into_iter().cloned().collect();
        if let [from, to] = &operands[..]
            && let Some(flow) = self.written(from).cloned()
        {
            self.wrote(to, &flow);
        }
    }

    /// A download: to standard output, or to a file that it is known by afterwards.
    fn fetches(&mut self, call: &Invocation) -> Flow {
        let network = Flow::From(Source::Network);
        let (named, takes): (_, &[&str]) = match call.program.as_str() {
            "curl" => (target(call, "--output", 'o'), &["-H", "-X", "-d", "-u", "-A", "-o", "-e"]),
            "wget" | "wget2" => (target(call, "--output-document", 'O'), &["-O", "-P", "-U", "-e", "-o"]),
            _ => return network,
        };
        let by_name = call.program != "curl" || call.any(&["-O", "--remote-name", "-J"]);
        let file = match named {
            Some(file) if matches!(file.text(), "-" | "/dev/stdout") => return network,
            Some(file) => file,
            None if by_name => {
                let url = call.operands(takes).last().map(|url| url.shown()).unwrap_or_default();
                Value::known(url.split(['?', '#']).next().unwrap_or("").rsplit('/').next().unwrap_or(""))
            }
            None => return network,
        };
        self.wrote(&file, &network);
        Flow::Nothing
    }
}

/// The file that an option names: `-o x`, `-ox`, `-fsSLo x`, `--output x`.
fn target(call: &Invocation, long: &str, letter: char) -> Option<Value> {
    let found = call.after(&[long]);
    found.or_else(|| {
        for (at, arg) in call.args.iter().enumerate() {
            let text = arg.text();
            let Some((_, rest)) =
                text.split_once(letter).filter(|_| text.starts_with('-') && !text.starts_with("--"))
            else {
                continue;
            };
            return if rest.is_empty() {
                call.args.get(at + 1).cloned()
            } else {
                Some(Value::part(rest, arg.source))
            };
        }
        None
    })
}

fn construct_of(source: Source) -> Construct {
    match source {
        Source::Network => Construct::DownloadToShell,
        Source::Decoded => Construct::DecodeToShell,
        Source::Unknown => Construct::UnknownText,
    }
}

/// The interpreter of this name; versions and paths do not matter: `python3.12`.
pub(super) fn interpreter(name: &str) -> Option<&'static (&'static str, &'static [&'static str])> {
    let plain = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    INTERPRETERS.iter().find(|(known, _)| *known == plain || *known == name)
}

fn is_assignment(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// Options of wrappers that are followed by a text for a shell.
fn call_string(wrapper: &str, option: &str, next: Option<&Value>) -> Option<Value> {
    let takes = match wrapper {
        "script" => matches!(option, "-c" | "--command" | "-qc" | "-qec"),
        "flock" | "npx" => matches!(option, "-c" | "--call" | "--command"),
        "runuser" => matches!(option, "-c"),
        "env" => matches!(option, "-S" | "--split-string"),
        _ => false,
    };
    next.filter(|_| takes).cloned()
}

/// Words with a blank between them.
pub(super) fn joined(words: &[Value]) -> Value {
    let mut all = Value::default();
    for (at, word) in words.iter().enumerate() {
        all.push_str(if at == 0 { "" } else { " " });
        all.push(word);
    }
    all
}

fn echo(args: &[Value], text: impl Fn(&[Value]) -> Option<String>) -> Flow {
    let options = args
        .iter()
        .take_while(|arg| matches!(arg.text(), "-n" | "-e" | "-E" | "-ne" | "-en" | "-nE"))
        .count();
    let escapes = args[..options].iter().any(|arg| arg.text().contains('e'));
    match text(&args[options..]) {
        Some(text) if escapes => Flow::Known(unescape(&text) + "\n"),
        Some(text) => Flow::Known(text + "\n"),
        None => Flow::From(args.iter().filter_map(|arg| arg.source).max().unwrap_or(Source::Unknown)),
    }
}

fn printf(args: &[Value]) -> Flow {
    let args = if args.first().is_some_and(|arg| arg.text() == "--") { &args[1..] } else { args };
    let Some((format, rest)) = args.split_first() else { return Flow::Nothing };
    if let Some(source) = args.iter().filter_map(|arg| arg.source).max() {
        return Flow::From(source);
    }
    let format = unescape(format.text());
    if rest.is_empty() {
        return Flow::Known(format);
    }
    let mut all = String::new();
    let mut rest = rest.iter();
    // The format is used again and again until no argument is left.
    while rest.len() != 0 {
        let before = rest.len();
        let mut parts = format.split('%');
        all += parts.next().unwrap_or_default();
        for part in parts {
            let mut letters = part.chars();
            match letters.next() {
                Some('s' | 'd' | 'q') => all += rest.next().map_or("", Value::text),
                Some('b') => all += &unescape(rest.next().map_or("", Value::text)),
                None => all.push('%'),
                Some(_) => return Flow::From(Source::Decoded),
            }
            all += letters.as_str();
        }
        if rest.len() == before {
            break;
        }
    }
    Flow::Known(all)
}
