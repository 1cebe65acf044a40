//! G17: secrets of the environment, of files and in output get into nothing that the product keeps, prints, sends or starts.
//! Scripted agents tell all of them in every way that they have; then everything is searched.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use acceptance::{
    chaos::{Chaos, Fault},
    team::{DEADLINE, Team, plan, task, work},
};
use domain::{Ballot, Event, Evidence};
use engine::weakness::Weakness;
use memchr::memmem::{self, Finder};
use serde_json::{Value, json};

/// How often processes are looked at: 50 Hz (RELIABILITY G17).
const LOOK: Duration = Duration::from_millis(20);
/// A kind of secret, how agents tell it, and the part of that which must be nowhere.
type Canary = (&'static str, &'static str, &'static str);
/// The private part of the key block is its lines; they are searched one by one.
const BLOCK: &str = "-----BEGIN RSA PRIVATE KEY-----\nQ2FuYXJ5T2ZUaGVLZXlCbG9ja0xpbmVPbmUwMTIzNDU2Nzg5QUJDREVGR0hJSktM\n\
    Q2FuYXJ5T2ZUaGVLZXlCbG9ja0xpbmVUd28wMTIzNDU2Nzg5QUJDREVGR0hJSktN\nQUJD\n-----END RSA PRIVATE KEY-----";
#[rustfmt::skip] // one line each
const CANARIES: [Canary; 8] = [
    ("environment", "canary-of-anthropic/5f1c+A", "canary-of-anthropic/5f1c+A"),
    ("settings", "canary of \"settings\" \\08be", "canary of \"settings\" \\08be"),
    ("project's .env", "wJalrCanaryOfDotEnv/K7MDENG+bPx", "wJalrCanaryOfDotEnv/K7MDENG+bPx"),
    ("GitHub", "ghp_Canary0123456789abcdefCanary0123456789", "Canary0123456789abcdefCanary0123456789"),
    ("AWS", "AKIACANARY0123456789", "CANARY0123456789"),
    ("key block", BLOCK, "Q2FuYXJ5T2ZUaGVLZXlCbG9ja0xpbmVPbmUwMTIzNDU2Nzg5"),
    ("address", "https://deploy:canary-0f-address!@host.invalid/x.git", "canary-0f-address!"),
    ("header", "Authorization: Bearer canary.0f-header_abcdefgh==", "canary.0f-header_abcdefgh"),
];
/// The canaries of the environment, and the agent that may have each; nobody has the one of the project.
const OWNERS: [(usize, &str); 3] = [(0, "claude"), (1, "codex"), (2, "")];

pub(crate) fn run(chaos: &Chaos) -> Result<(), Fault> {
    let team = chaos.team(script);
    let looked = session(chaos, team, false)?;
    for place in looked.found.iter().take(40) {
        chaos.note(place);
    }
    let well = looked.found.is_empty() && looked.well;
    chaos.goal("G17-secrets-found", looked.found.len(), 0, well);
    chaos.goal("G17-raw-logs-open-to-others", looked.open, 0, looked.open == 0);
    let foreign = looked.foreign.len();
    chaos.goal("G17-environments-with-anothers-key", foreign, 0, foreign == 0 && looked.own);
    let (refused, of) = (looked.quotes - looked.verified, looked.quotes);
    chaos.goal("G17-quotes-of-keys-refused", refused, format_args!("0-of-{of}"), refused == 0 && 0 < of);
    chaos.goal("G17-made-up-quotes-verified", looked.made_up, 0, looked.made_up == 0);
    let looked = session(chaos, chaos.team(script), true)?;
    for place in looked.found.iter().take(40) {
        chaos.note(place);
    }
    let well = looked.found.is_empty() && looked.well;
    chaos.goal("G17-secrets-found-after-a-kill", looked.found.len(), 0, well);
    let looked = session(chaos, chaos.weakened(Weakness::NoRedaction, script), false)?;
    let kinds: BTreeSet<&str> = looked.found.iter().filter_map(|place| place.split(" in ").next()).collect();
    let places: BTreeSet<&str> = looked.found.iter().filter_map(|place| place.split(" in ").nth(1)).collect();
    chaos.note(format_args!("without redaction in: {}", Vec::from_iter(places).join(", ")));
    let all = kinds.len() == CANARIES.len();
    speed(chaos);
    let what = format!(
        "without redaction {} of {} secrets are found in {} places:",
        kinds.len(),
        CANARIES.len(),
        looked.found.len()
    );
    chaos.control("G17", what, all);
    Ok(())
}

/// A line that is eight times as long takes no more than so many times as long for each of its bytes; eight times if it
/// were searched again from every place.
const GROWTH: f64 = 4.0;

/// How long looking for secrets takes: also in lines that are made to be slow.
fn speed(chaos: &Chaos) {
    let known = CANARIES.iter().map(|(_, _, secret)| (*secret).to_owned());
    let more = (0..40).map(|number| format!("another-secret-{number:04}-of-somebody"));
    let secrets = agents::Secrets::of(known.chain(more));
    let size = chaos.scale(1 << 20, 32 << 10);
    let mut worst: f64 = 0.0;
    for (name, piece) in [
        ("words", "The quick brown fox jumps over the lazy dog, in src/main.rs line 12. "),
        ("base64", "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"),
        ("json", "{\\\"type\\\":\\\"progress\\\",\\\"payload\\\":{\\\"text\\\":\\\"KEY=1\\\"}}"),
        ("secrets", "ghp_0123456789012345678901234567890123 AKIA0123456789ABCDEF "),
        ("marks", "-----BEGIN PRIVATE KEY----- AKIA0123456789ABCDEF "),
        ("half tokens", "eyJaaaaaaaaaaaa-AKIA0123456789ABCDEF-a_KEY=sk-b://c:"),
    ] {
        let time = |size: usize| {
            let text = piece.repeat(size / piece.len());
            let mut best = f64::MAX;
            let mut left = 0;
            for _ in 0..3 {
                let began = Instant::now();
                left = secrets.redact(&text).len();
                best = best.min(began.elapsed().as_secs_f64());
            }
            (best / size as f64, left)
        };
        time(size / 8); // the automata are made
        let ((short, _), (long, left)) = (time(size), time(8 * size));
        worst = worst.max(long / short);
        let speed = 1.0 / long / f64::from(1 << 20);
        chaos.note(format_args!("{name}: {speed:.0} MiB/s, {left} of {} bytes are left", 8 * size));
    }
    chaos.figure("G17-time-per-byte-growth", format_args!("{worst:.2}"), GROWTH, worst <= GROWTH);
}

/// What was found out about a session.
#[derive(Default)]
struct Looked {
    /// `kind in place`.
    found: BTreeSet<String>,
    /// The session went as the script says.
    well: bool,
    /// Raw logs that others may read.
    open: usize,
    /// Workers that have a key which is not theirs.
    foreign: BTreeSet<String>,
    /// The workers that should have a key have been seen with it.
    own: bool,
    /// Quotes of a line with a key that is there, and those that counted.
    quotes: usize,
    verified: usize,
    /// Quotes of one that is not there, and counted.
    made_up: usize,
}

/// Workers that tell every secret in every way they have.
fn script(_: &Path) -> Vec<Value> {
    let all = CANARIES.map(|(_, told, _)| told).join(" and\n");
    let report = |kind: &str| json!({ "call": { "tool": "report", "input": { "type": kind, "text": all } } });
    let line = json!({ "type": "progress", "payload": { "text": all } }).to_string();
    let tells = vec![
        json!({ "say": format!("I found {all}.") }),
        json!({ "think": format!("So {all}.") }),
        json!({ "todo": [[all, false]] }),
        json!({ "read": "config.txt" }),
        json!({ "run": "cat config.txt; cat config.txt >&2" }),
        json!({ "raw": line }),
        json!({ "raw": all }),
        json!({ "stderr": all }),
        report("progress"),
        report("status"),
        report("milestone"),
        report("error"),
        json!({ "write": { "path": "told.txt", "text": format!("{all}\n") } }),
    ];
    let with = |more: Value| [tells.clone(), vec![more]].concat();
    let mut planned = plan(&[task("t1", "claude"), task("t2", "codex"), task("t3", "gemini")]);
    planned["steps"][0]["plan"]["summary"] = json!(all);
    for number in 0..3 {
        planned["steps"][0]["plan"]["tasks"][number]["instructions"] = json!(format!("Use {all}."));
        planned["steps"][0]["plan"]["tasks"][number]["title"] =
            json!(format!("Write, with {}", CANARIES[3].1));
    }
    let fails = json!({ "when": { "task": "t2", "purpose": "task" }, "times": 1,
        "steps": [{ "stderr": all }, { "say": all }, { "exit": 1 }] });
    let finding = |quote: &str| {
        json!({ "severity": "note", "title": format!("There is {all}"), "file": "config.txt", "quote": quote,
            "why": all, "recommendation": format!("Take out {all}") })
    };
    let findings =
        [finding(&format!("GitHub={}", CANARIES[3].1)), finding(&format!("GitLab={}", CANARIES[3].1))];
    let review = json!({ "when": { "agent": "gemini", "task": "t1", "purpose": "review" }, "steps": [
        { "say": all },
        { "verdict": { "verdict": "approve", "summary": all, "findings": findings, "files_read": ["config.txt"] } },
    ] });
    vec![
        planned,
        fails,
        work("t1", &with(json!({ "ask": format!("Shall I use {all}?") }))),
        work("t2", &tells),
        work("t3", &tells),
        review,
    ]
}

/// Runs a session and looks everywhere; one that is killed is taken up again.
fn session(chaos: &Chaos, mut team: Team, killed: bool) -> Result<Looked, Fault> {
    prepare(&mut team)?;
    let bus = Bus::start(&mut team);
    let mut looked = Looked::default();
    let over = AtomicBool::new(false);
    let (mut printed, seen) = thread::scope(|scope| {
        let seen = scope.spawn(|| processes(&over));
        let printed = carried_out(&team, killed);
        over.store(true, Ordering::Relaxed);
        (printed, seen.join().unwrap_or_default())
    });
    match bus.map(Bus::end) {
        Some(()) => {
            let sent = fs::read_to_string(team.at("sent"))?;
            looked.well = sent.contains("member=Notify");
            printed.push(("notifications".to_owned(), sent));
        }
        None => {
            chaos.note("there is no dbus-monitor: notifications are looked at in the journal alone");
            looked.well = true;
        }
    }
    for (place, text) in &printed {
        looked.found.extend(secrets_in(place, text.as_bytes()));
    }
    looked.found.extend(seen.lines);
    journalled(&team, &seen.environments, &mut looked);
    look_into(&team.at("work"), &mut looked)?;
    look_into(&team.at("home"), &mut looked)?;
    Ok(looked)
}

/// Puts the secrets where they come from.
fn prepare(team: &mut Team) -> Result<(), Fault> {
    team.env("ANTHROPIC_API_KEY", CANARIES[0].1);
    let all: String = CANARIES.iter().map(|(kind, told, _)| format!("{kind}={told}\n")).collect();
    fs::write(team.at("project/config.txt"), all)?;
    fs::write(team.at("project/.gitignore"), ".env\n")?;
    fs::write(team.at("project/.env"), format!("AWS_SECRET_ACCESS_KEY=\"{}\"\n", CANARIES[2].1))?;
    team.check("cat config.txt; cat config.txt >&2; exit 0");
    let path = team.at("settings.toml");
    let codex = format!("[agents.codex]\nenv = {{ OPENAI_API_KEY = {} }}", json!(CANARIES[1].1));
    fs::write(&path, fs::read_to_string(&path)?.replace("[agents.codex]", &codex))?;
    team.git(&["add", "-A"]);
    team.git(&["-c", "user.name=T", "-c", "user.email=t@example.invalid", "commit", "-q", "-m", "Secrets"]);
    Ok(())
}

/// Runs the session and everything that prints something of it; what was printed, by command.
fn carried_out(team: &Team, killed: bool) -> Vec<(String, String)> {
    let mut printed = Vec::new();
    let mut print = |words: &[&str]| {
        let ended = team.run(words);
        printed.push((format!("what `{}` prints", words.join(" ")), ended.stdout + &ended.stderr));
    };
    let mut running =
        team.start(&["Write some texts", "--unsandboxed", "--yes", "--no-dashboard", "--verbose"]);
    let until = Instant::now() + DEADLINE;
    let (mut to_kill, mut answered) = (killed, BTreeSet::new());
    while !running.is_over() && Instant::now() < until {
        let state = team.state();
        let question = state.open_questions().map(|(id, _)| id).find(|id| !answered.contains(id));
        if let Some(question) = question {
            // While workers work, so that their raw logs still have everything.
            print(&["status"]);
            for worker in state.workers.keys() {
                print(&["log", &worker.to_string()]);
            }
            if std::mem::take(&mut to_kill) {
                running.kill();
                running.end();
                running = team.start(&["resume", "--no-dashboard", "--verbose"]);
                continue;
            }
            print(&["answer", "--question", &question.to_string(), "No, use none of them."]);
            answered.insert(question);
        }
        thread::sleep(LOOK);
    }
    for words in [
        &["status"][..],
        &["status", "--json"],
        &["status", team.id().0.as_str()],
        &["replay"],
        &["replay", "--json"],
        &["log"],
        &["scoreboard"],
        &["scoreboard", "--json"],
        &["doctor"],
    ] {
        print(words);
    }
    for worker in team.state().workers.keys() {
        print(&["log", &worker.to_string()]);
    }
    let ended = running.end();
    printed.push(("what the session prints".to_owned(), ended.stdout + &ended.stderr));
    printed
}

/// What the journal tells of the session, and of who had which key.
fn journalled(team: &Team, environments: &BTreeSet<(String, usize)>, looked: &mut Looked) {
    let state = team.state();
    looked.well &= matches!(state.ended, Some((domain::Outcome::Done, _)));
    let agents: BTreeMap<String, String> = (state.workers.iter())
        .map(|(id, worker)| (id.to_string(), worker.assignment.agent.to_string()))
        .collect();
    let mut seen = BTreeSet::new();
    for (process, canary) in environments {
        let agent = agents.get(process).map_or("", String::as_str);
        match OWNERS.iter().find(|(owned, _)| owned == canary) {
            Some((_, owner)) if *owner == agent => drop(seen.insert(*canary)),
            _ => drop(looked.foreign.insert(format!("{process} ({agent}) has {}", CANARIES[*canary].0))),
        }
    }
    looked.own = seen.len() == 2;
    for entry in team.entries() {
        if let Event::BallotCounted { ballot: Ballot::Cast { findings, .. }, .. } = entry.event {
            for checked in &findings {
                let quote = checked.finding.quote.as_deref().unwrap_or_default();
                let there = quote.starts_with("GitHub=");
                let verified = checked.evidence == Evidence::Verified;
                looked.quotes += usize::from(there);
                looked.verified += usize::from(there && verified);
                looked.made_up += usize::from(!there && verified);
            }
        }
    }
}

fn secrets_in(place: &str, bytes: &[u8]) -> Vec<String> {
    let found = WAYS.iter().filter(|(_, ways)| ways.iter().any(|way| way.find(bytes).is_some()));
    found.map(|(kind, _)| format!("{kind} in {place}")).collect()
}

/// How each secret may be written: as it is, as JSON, as JSON in JSON or an address does it, or in base64.
static WAYS: LazyLock<Vec<(&'static str, Vec<Finder<'static>>)>> = LazyLock::new(|| {
    let json = |text: &str| {
        let quoted = json!(text).to_string();
        quoted[1..quoted.len() - 1].to_owned()
    };
    let percent = |secret: &str| -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        let digits =
            |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
        secret.bytes().map(digits).collect()
    };
    let ways = |secret: &str| {
        let once = json(secret);
        [secret.to_owned(), json(&once), once, percent(secret), base64(secret)]
            .map(|way| Finder::new(&way).into_owned())
            .into()
    };
    CANARIES.iter().map(|(kind, _, secret)| (*kind, ways(secret))).collect()
});

/// As far as it does not depend on what follows.
fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = |three: &[u8]| {
        let bits = three.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte));
        [18, 12, 6, 0].map(|shift| char::from(DIGITS[bits >> shift & 63]))
    };
    text.as_bytes().chunks_exact(3).flat_map(digits).collect()
}

/// What was seen of processes.
#[derive(Default)]
struct Seen {
    lines: BTreeSet<String>,
    /// Whose process it is by its mark, and the number of the canary in its environment.
    environments: BTreeSet<(String, usize)>,
}

/// Looks at all processes, until it is over.
fn processes(over: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    while !over.load(Ordering::Relaxed) {
        for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let read = |file: &str| fs::read(process.path().join(file)).unwrap_or_default();
            seen.lines.extend(secrets_in("a command line", &read("cmdline")));
            let environment = read("environ");
            let mut variables = environment.split(|byte| *byte == 0);
            let mark = variables.find_map(|variable| variable.strip_prefix(b"AW_COOKIE="));
            let Some(mark) = mark.map(String::from_utf8_lossy) else { continue };
            let whose = mark.rsplit('/').next().unwrap_or_default();
            for (number, (_, _, secret)) in CANARIES.iter().enumerate() {
                if memmem::find(&environment, secret.as_bytes()).is_some() {
                    seen.environments.insert((whose.to_owned(), number));
                }
            }
        }
        thread::sleep(LOOK);
    }
    seen
}

fn look_into(folder: &Path, looked: &mut Looked) -> Result<(), Fault> {
    for entry in fs::read_dir(folder)?.flatten() {
        let path = entry.path();
        let facts = fs::symlink_metadata(&path)?;
        // Copies of the project have what the project has.
        if facts.is_dir() && !path.ends_with("trees") {
            look_into(&path, looked)?;
        } else if facts.is_file() {
            let inside = |name: &str| path.components().any(|part| part.as_os_str() == name);
            let private = inside("workers") || inside("checks");
            looked.open += usize::from(private && facts.permissions().mode() & 0o077 != 0);
            let place = path.file_name().unwrap_or_default().to_string_lossy();
            looked.found.extend(secrets_in(&place, &fs::read(&path)?));
        }
    }
    Ok(())
}

/// A session bus of its own, and what goes over it.
struct Bus {
    daemon: Child,
    monitor: Child,
}

impl Bus {
    /// `None` where the programs for it are not there.
    fn start(team: &mut Team) -> Option<Self> {
        let mut daemon = Command::new("dbus-daemon");
        daemon.args(["--session", "--nofork", "--print-address"]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut daemon = daemon.stderr(Stdio::null()).spawn().ok()?;
        let mut address = String::new();
        BufReader::new(daemon.stdout.take()?).read_line(&mut address).ok()?;
        let address = address.trim().to_owned();
        let sent = fs::File::create(team.at("sent")).ok()?;
        let mut monitor = Command::new("dbus-monitor");
        monitor.args(["--address", &address, "interface='org.freedesktop.Notifications'"]).stdout(sent);
        let monitor = monitor.stdin(Stdio::null()).stderr(Stdio::null()).spawn();
        let Ok(monitor) = monitor else {
            end(daemon);
            return None;
        };
        team.env("DBUS_SESSION_BUS_ADDRESS", &address);
        Some(Self { daemon, monitor })
    }

    fn end(self) {
        end(self.monitor);
        end(self.daemon);
    }
}

fn end(mut process: Child) {
    // It may have gone by itself.
    drop(process.kill());
    drop(process.wait());
}
