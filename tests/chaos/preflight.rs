//! G16: each probe of the doctor fails under its own fault, says so, and all of them are quick.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use acceptance::{
    chaos::{Chaos, Fault},
    clis,
    team::Team,
};
use engine::weakness::Weakness;
use serde_json::Value;

/// All probes together, on a machine that has just been started (RELIABILITY G16).
const LIMIT: Duration = Duration::from_secs(2);
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
/// Keys, so that the agents count as signed in.
const KEYS: [(&str, &str); 3] =
    [("ANTHROPIC_API_KEY", "k"), ("OPENAI_API_KEY", "k"), ("GEMINI_API_KEY", "k")];

/// How a machine is spoilt before the doctor looks at it.
#[derive(Default)]
struct Spoilt {
    /// What the doctor is started through.
    through: Vec<String>,
    env: Vec<(&'static str, String)>,
    workspace: Option<PathBuf>,
    target: Option<PathBuf>,
    settings: Option<PathBuf>,
    /// A mount to be taken away again.
    mounted: Option<PathBuf>,
}

/// A fault: which probe has to find it, in which words, and what makes it. `Err` says why this machine cannot.
type Case = (&'static str, &'static str, Result<Spoilt, String>);

pub(crate) fn run(chaos: &Chaos) -> Result<(), Fault> {
    let team = chaos.team(|_| Vec::new());
    let good = Spoilt::default();
    let mut slowest = Duration::ZERO;
    for _ in 0..chaos.scale(5, 3) {
        let dropped = fs::write("/proc/sys/vm/drop_caches", "3").is_ok();
        let began = Instant::now();
        let probes = look(&team, &clis::orchestrate(), &good, None)?;
        slowest = slowest.max(began.elapsed());
        if !dropped {
            chaos.note("the caches could not be emptied, so the next figure is of a warm machine");
        }
        if probes.len() < 15 {
            return Err(format!("only {} probes", probes.len()).into());
        }
    }
    chaos.figure("G16-ms", slowest.as_millis(), LIMIT.as_millis(), slowest <= LIMIT);
    let before = look(&team, &clis::orchestrate(), &good, None)?;
    let weakened = clis::programs().join("orchestrate-weakened");
    let (mut found, mut missed, mut all) = (BTreeMap::new(), 0, 0);
    for (name, words, spoilt) in cases(chaos, &team)? {
        let spoilt = match spoilt {
            Ok(spoilt) => spoilt,
            Err(why) => {
                chaos.note(format_args!("not tried: {name} ({words}): {why}"));
                continue;
            }
        };
        all += 1;
        let tells = |probes: &BTreeMap<String, Value>| {
            probes.get(name).is_some_and(|probe| {
                let text = probe["text"].as_str().unwrap_or_default();
                let fix = probe["fix"].as_str().unwrap_or_default();
                probe["state"] != "ok" && text.contains(words) && !fix.is_empty()
            })
        };
        let probes = look(&team, &clis::orchestrate(), &spoilt, None)?;
        let well = tells(&probes) && !tells(&before);
        if !well {
            chaos.note(format_args!(
                "{name} did not find {words:?}: {:?}, before {:?}",
                probes.get(name),
                before.get(name)
            ));
        }
        *found.entry(name).or_insert(true) &= well;
        if look(&team, &weakened, &spoilt, Some(Weakness::NoProbes)).is_ok_and(|probes| !tells(&probes)) {
            missed += 1;
        }
        if let Some(mounted) = spoilt.mounted {
            let _ = Command::new("umount").arg(mounted).status();
        }
    }
    let probes = found.values().filter(|well| **well).count();
    chaos.note(format_args!(
        "{all} faults for {} probes: {:?}",
        found.len(),
        found.keys().collect::<Vec<_>>()
    ));
    chaos.goal(
        "G16-probes",
        format_args!("{probes}/{}", found.len()),
        15,
        15 <= probes && probes == found.len(),
    );
    chaos.control(
        "G16",
        format_args!("a doctor without probes misses {missed} of {all} faults:"),
        missed == all,
    );
    refused(chaos, &team)
}

/// What a session needs keeps it from beginning, with exit code 6 and nothing left behind.
fn refused(chaos: &Chaos, team: &Team) -> Result<(), Fault> {
    let lock = team.at("project").join(".git/index.lock");
    fs::write(&lock, "")?;
    let ended = team.begin().end();
    fs::remove_file(&lock)?;
    let few = through(&["prlimit", "--nofile=64"]);
    let start = ["Write", "--unsandboxed", "--yes", "--no-dashboard"];
    let limited = command(team, &clis::orchestrate(), &few, None, &start).output()?.status.code();
    let codes = (ended.code, limited);
    chaos.goal(
        "G16-exit-code",
        format_args!("{codes:?}").to_string().replace(' ', ""),
        6,
        codes == (Some(6), Some(6)),
    );
    Ok(())
}

fn look(
    team: &Team,
    program: &Path,
    spoilt: &Spoilt,
    weakness: Option<Weakness>,
) -> Result<BTreeMap<String, Value>, Fault> {
    let output = command(team, program, spoilt, weakness, &["doctor", "--json"]).output()?;
    let told: Value = serde_json::from_slice(&output.stdout)
        .map_err(|fault| format!("{fault}: {}", String::from_utf8_lossy(&output.stderr)))?;
    let probes = told["probes"].as_array().cloned().unwrap_or_default();
    Ok(probes
        .into_iter()
        .map(|probe| (probe["name"].as_str().unwrap_or_default().to_owned(), probe))
        .collect())
}

fn command(
    team: &Team,
    program: &Path,
    spoilt: &Spoilt,
    weakness: Option<Weakness>,
    words: &[&str],
) -> Command {
    let mut line: Vec<String> = spoilt.through.clone();
    line.push(program.to_string_lossy().into_owned());
    let mut command = Command::new(&line[0]);
    command.args(&line[1..]).args(words);
    let or = |path: &Option<PathBuf>, other: &str| path.clone().unwrap_or_else(|| team.at(other));
    command.arg("-C").arg(or(&spoilt.target, "project"));
    command.arg("--workspace").arg(or(&spoilt.workspace, "work"));
    command.arg("--config").arg(or(&spoilt.settings, "settings.toml"));
    command.env_clear().envs(KEYS).env("HOME", team.at("home")).env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command
        .env("SHELL", "/bin/sh")
        .env("LANG", "C.UTF-8")
        .envs(spoilt.env.iter().map(|(name, value)| (name, value)));
    command.envs(weakness.map(|weakness| ("ORCHESTRATE_WEAKNESS", weakness.name())));
    command.current_dir(team.at("home")).stdin(Stdio::null());
    command
}

fn through(words: &[&str]) -> Spoilt {
    Spoilt { through: words.iter().map(|word| (*word).to_owned()).collect(), ..Spoilt::default() }
}

/// Runs a shell's command first, in namespaces of its own.
fn inside(flags: &str, first: &str) -> Result<Spoilt, String> {
    let shell = ["unshare", flags, "sh", "-c", &format!("{first} && exec \"$0\" \"$@\"")].map(str::to_owned);
    let tried = Command::new("unshare").args([flags, "sh", "-c", first]).stderr(Stdio::null()).status();
    if tried.is_ok_and(|status| status.success()) {
        return Ok(Spoilt { through: shell.to_vec(), ..Spoilt::default() });
    }
    Err(format!("`unshare {flags}` and {first:?} are refused here"))
}

/// A program of that name stands before the real one.
fn stub(chaos: &Chaos, name: &str, body: &str) -> Result<Spoilt, Fault> {
    let folder = tempfile::Builder::new().prefix("stub-").tempdir_in(chaos.folder())?.keep();
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{body}\n"))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    // The login shell's PATH is what counts.
    fs::write(folder.join(".profile"), format!("PATH={}:$PATH\n", folder.display()))?;
    let env = vec![("HOME", folder.to_string_lossy().into_owned())];
    Ok(Spoilt { env, ..Spoilt::default() })
}

/// A workspace on a file system of its own.
fn mounted(chaos: &Chaos, name: &str, options: &str) -> Result<Spoilt, String> {
    let place = chaos.folder().join(name);
    fs::create_dir_all(&place).map_err(|fault| fault.to_string())?;
    let done = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&place).status();
    if !done.is_ok_and(|status| status.success()) {
        return Err("a tmpfs cannot be mounted here".to_owned());
    }
    Ok(Spoilt { workspace: Some(place.join("work")), mounted: Some(place), ..Spoilt::default() })
}

/// A repository, by a shell script in its folder.
fn repository(chaos: &Chaos, name: &str, script: &str) -> Result<Spoilt, Fault> {
    let target = chaos.folder().join(name);
    fs::create_dir_all(&target)?;
    let begin = "git init -q -b main . && c() { echo $1 >f; git add f; git commit -qm $1; }; c one";
    let mut shell = Command::new("sh");
    shell.args(["-c", &script.replace("BEGIN", begin)]).current_dir(&target).env("HOME", chaos.folder());
    let names = ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"];
    shell.envs(names.map(|name| (name, "t@example.invalid"))).stdout(Stdio::null()).stderr(Stdio::null());
    shell.status()?; // a conflict is no success
    Ok(Spoilt { target: Some(target), ..Spoilt::default() })
}

/// Other settings than the team's.
fn settings(chaos: &Chaos, name: &str, text: &str) -> Result<Spoilt, Fault> {
    let path = chaos.folder().join(name);
    fs::write(&path, text)?;
    Ok(Spoilt { settings: Some(path), ..Spoilt::default() })
}

fn with(env: &[(&'static str, &str)]) -> Spoilt {
    let env = env.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Spoilt { env, ..Spoilt::default() }
}

fn cases(chaos: &Chaos, team: &Team) -> Result<Vec<Case>, Fault> {
    let claude = team.at("bin").join("claude");
    let hangs = team.at("bin").join("hangs");
    fs::write(&hangs, "#!/bin/sh\nexec sleep 60\n")?;
    fs::set_permissions(&hangs, fs::Permissions::from_mode(0o755))?;
    let named = |path: &Path| format!("[agents.claude]\ncommand = {:?}\n", path.to_string_lossy());
    let off = "[agents.codex]\nenabled = false\n[agents.gemini]\nenabled = false\n";
    let alone = format!("{}{off}", named(&claude));
    let root = rustix::process::geteuid().is_root();
    let only_root =
        |spoilt: Result<Spoilt, String>| if root { spoilt } else { Err("only root can".to_owned()) };
    let faketime = Path::new(FAKETIME).exists().then(|| {
        with(&[
            ("LD_PRELOAD", FAKETIME),
            ("FAKETIME", "+2h"),
            ("NO_FAKE_STAT", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ])
    });
    let split = "BEGIN; git checkout -qb other; c two; git checkout -q main; c three;";
    let full = mounted(chaos, "full", "size=4m");
    let full = full.and_then(|spoilt| {
        let place = spoilt.mounted.clone().unwrap_or_default();
        let filled = fs::write(place.join("filler"), vec![0_u8; 3 << 20]);
        filled.map(|()| spoilt).map_err(|fault| fault.to_string())
    });
    let read_only = mounted(chaos, "read-only", "ro,size=4m");
    let strace = || {
        through(&[
            "strace",
            "-qq",
            "-f",
            "-o",
            "/dev/null",
            "-e",
            "trace=flock",
            "-e",
            "inject=flock:error=ENOLCK",
        ])
    };
    Ok(vec![
        (
            "claude",
            "is no program that can be run",
            Ok(settings(chaos, "gone.toml", &named(Path::new("/no/such/claude")))?),
        ),
        ("claude", "did not answer", Ok(settings(chaos, "hangs.toml", &named(&hangs))?)),
        ("vendors", "Only one vendor", Ok(settings(chaos, "alone.toml", &alone)?)),
        ("sign-in", "no trace of credentials", Ok(with(&KEYS.map(|(name, _)| (name, ""))))),
        ("git", "is too old", Ok(stub(chaos, "git", "echo git version 2.20.1")?)),
        ("git", "not found, or does not run", Ok(stub(chaos, "git", "exit 127")?)),
        ("repository", "without working files", Ok(repository(chaos, "bare", "git init -q --bare .")?)),
        (
            "repository",
            "rebase is in progress",
            Ok(repository(chaos, "rebase", &format!("{split} git rebase other"))?),
        ),
        (
            "repository",
            "merge is in progress",
            Ok(repository(chaos, "merge", &format!("{split} git merge other"))?),
        ),
        ("repository", "index.lock", Ok(repository(chaos, "locked", "BEGIN; : >.git/index.lock")?)),
        (
            "repository",
            "dubious ownership",
            only_root(Ok(repository(chaos, "owned", "BEGIN; chown -R 65534 .")?)),
        ),
        ("workspace", "cannot be written to", read_only),
        ("filesystem", "keeps no locks", Ok(strace())),
        ("disk", "a session needs at least 200 MiB", full),
        ("disk", "more files can be made", mounted(chaos, "no-inodes", "size=4g,nr_inodes=200")),
        ("clock", "s apart", faketime.ok_or_else(|| "libfaketime is not installed".to_owned())),
        ("open files", "Only 64 files", Ok(through(&["prlimit", "--nofile=64"]))),
        ("inotify", "none is left", inside("-Ur", "echo 0 >/proc/sys/user/max_inotify_instances")),
        (
            "cgroups",
            "limits of workers are kept by polling",
            only_root(inside("-m", "mount -t tmpfs none /sys/fs/cgroup")),
        ),
        ("namespaces", "switched off", inside("-Ur", "echo 0 >/proc/sys/user/max_user_namespaces")),
        ("bubblewrap", "self-test failed", Ok(stub(chaos, "bwrap", "exit 1")?)),
        (
            "notifications",
            "There is no D-Bus",
            Err("no desktop runs here to be taken away; the fault is what is found".to_owned()),
        ),
        ("loopback", "cannot be used", only_root(inside("-n", "true"))),
        ("proxy", "no address of a proxy", Ok(with(&[("HTTPS_PROXY", "not a proxy")]))),
    ])
}
