//! Whether the machine and the agents are in order, and whether a session can begin.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use domain::{AgentInfo, Dialect, ErrorCode, Probe, ProbeState, Settings, UserError};

use crate::{
    discover::{self, AgentProblem, Environment, Found, SignedIn, answer},
    folders,
};

mod system;
pub(crate) use system::is_root;

use system::{Filesystem, Room};

/// Most bytes of a prompt (SPEC section 18).
pub const MOST_GOAL_BYTES: usize = 1 << 20;
/// Less free space than this is worth a warning (RELIABILITY R16).
const FEW_BYTES: u64 = 2 << 30;
/// With less than this no session begins: a worktree and a journal would not fit.
const NO_BYTES: u64 = 200 << 20;
/// Fewer free inodes than this are worth a warning: one worktree of a large project.
const FEW_INODES: u64 = 50_000;
/// Fewer files that may be open at once are worth a warning (RELIABILITY R16).
const FEW_FILES: u64 = 4_096;
/// The first git with `merge-tree --write-tree`, which shows conflicts without touching a checkout.
const GIT: [u64; 2] = [2, 38];

/// The doctor's report.
#[derive(Debug)]
pub struct Checkup {
    /// In the order in which they are shown: agents first, then the machine.
    pub probes: Vec<Probe>,
    /// Agents that can work, in the order of their names.
    pub agents: Vec<AgentInfo>,
}

/// The report in its parts.
struct Report {
    /// One line for each agent of the settings.
    of_agents: Vec<Probe>,
    of_machine: Vec<Probe>,
    agents: Vec<AgentInfo>,
}

/// Looks at the agents and the machine, all at once; commonly under two seconds, at most a little over
/// [`discover::TIMEOUT`] when a CLI hangs.
#[must_use]
pub fn probes(settings: &Settings, workspace: &Path, target: Option<&Path>, env: &Environment) -> Checkup {
    let Report { of_agents, of_machine, agents } = report(settings, workspace, target, env);
    let mut probes = of_agents;
    probes.push(vendors(&agents));
    probes.extend(of_machine);
    Checkup { probes, agents }
}

fn report(settings: &Settings, workspace: &Path, target: Option<&Path>, env: &Environment) -> Report {
    let (found, of_machine) = thread::scope(|scope| {
        let machine = scope.spawn(|| machine(workspace, target, env));
        (discover::agents(settings, env, target), machine.join().unwrap_or_default())
    });
    let of_agents = found.iter().map(agent).collect();
    let agents = found.into_iter().filter_map(|found| found.agent.ok()).collect();
    Report { of_agents, of_machine, agents }
}

fn probe(name: &str, state: ProbeState, text: impl Into<String>, fix: impl Into<String>) -> Probe {
    Probe { name: name.to_owned(), state, text: text.into(), fix: fix.into() }
}

/// What discovery found of one agent.
fn agent(found: &Found) -> Probe {
    let name = found.name.as_str();
    let agent = match &found.agent {
        Ok(agent) => agent,
        Err(problem) => {
            // Who switched an agent off, or has two of three, lacks nothing.
            let state = match problem {
                AgentProblem::Disabled => ProbeState::Ok,
                AgentProblem::NotFound { .. } => ProbeState::Warning,
                AgentProblem::NamedNotFound { .. }
                | AgentProblem::InsideTarget(_)
                | AgentProblem::NotStarted { .. }
                | AgentProblem::Hung { .. }
                | AgentProblem::Failed { .. }
                | AgentProblem::NoVersion { .. }
                | AgentProblem::Incapable { .. }
                | AgentProblem::Path(_) => ProbeState::Problem,
            };
            return probe(
                name,
                state,
                sentence(&problem.to_string()),
                problem.fix(&found.name, found.dialect),
            );
        }
    };
    let mut text = agent.version.clone();
    if let (Some(place), Some(at)) = (found.place, &found.found_at) {
        text = format!("{text}, found {} at {}", place.as_str(), at.display());
        if *at != Path::new(&agent.program) {
            text = format!("{text} (started as {})", agent.program);
        }
    }
    text.push_str("; its help offers structured output and all other options we need");
    let mut fixes = Vec::new();
    match &found.signed_in {
        SignedIn::Yes(how) => text = format!("{text}; credentials: {how}."),
        SignedIn::Unknown => {
            text.push_str("; no trace of credentials, so it may not be signed in.");
            fixes.push(discover::sign_in_hint(found.dialect));
        }
    }
    for warning in &found.warnings {
        text = format!("{text} {warning}");
    }
    let weak = !found.warnings.is_empty() || found.signed_in == SignedIn::Unknown;
    probe(name, if weak { ProbeState::Warning } else { ProbeState::Ok }, text, fixes.join(" "))
}

fn sentence(text: &str) -> String {
    // A path stays as it is written.
    let text = if text.starts_with('/') { text.to_owned() } else { discover::capital(text.to_owned()) };
    format!("{}.", text.trim_end_matches(['.', ' ', ':']))
}

/// Whether the agents can gate each other's work.
fn vendors(agents: &[AgentInfo]) -> Probe {
    let there: Vec<Dialect> = Dialect::ALL
        .into_iter()
        .filter(|dialect| agents.iter().any(|agent| agent.dialect == *dialect))
        .collect();
    let missing: Vec<&str> =
        Dialect::ALL.into_iter().filter(|dialect| !there.contains(dialect)).map(discover::install).collect();
    let fix = missing.join(" && ");
    match there.len() {
        0 => probe("vendors", ProbeState::Problem, "No agent can work; at least one is needed.", fix),
        1 => probe("vendors", ProbeState::Warning, alone(agents), fix),
        2 => probe("vendors", ProbeState::Ok, "Agents of two vendors: each reviews the other's work.", ""),
        _ => probe("vendors", ProbeState::Ok, "Agents of three vendors: two review the work of one.", ""),
    }
}

fn alone(agents: &[AgentInfo]) -> String {
    let names: Vec<&str> = agents.iter().map(|agent| agent.name.as_str()).collect();
    format!(
        "Only one vendor is there ({}): nobody independent can review, so checks alone decide.",
        names.join(", ")
    )
}

/// Everything but the agents.
fn machine(workspace: &Path, target: Option<&Path>, env: &Environment) -> Vec<Probe> {
    let mut probes = vec![git(git_version(target, env).as_deref())];
    probes.push(match writable_workspace(workspace) {
        Ok(()) => {
            let text = format!("Sessions are kept in {}.", workspace.display());
            match std::env::temp_dir() {
                temp if folders::is_inside(workspace, &temp) => {
                    let text = format!("{text} That is a temporary folder, which the system may empty.");
                    probe("workspace", ProbeState::Warning, text, "Choose another with --workspace DIR.")
                }
                _ => probe("workspace", ProbeState::Ok, text, ""),
            }
        }
        Err(error) => probe("workspace", ProbeState::Problem, error.message, error.hint),
    });
    let at = folders::resolved(workspace);
    probes.extend(system::room(&at).map(disk));
    probes.extend(system::filesystem(&at).and_then(filesystem));
    probes.extend(user(system::is_root()));
    probes.push(probe(
        "sandbox",
        ProbeState::Warning,
        "Level 0: this version runs agents without a sandbox, so they can change every file you can change.",
        "Give your consent for each session: --unsandboxed, or the field in the window.",
    ));
    probes.extend(system::notifications(env));
    probes.extend(system::open_files().map(open_files));
    probes.extend(system::watches());
    probes
}

fn git_version(target: Option<&Path>, env: &Environment) -> Option<String> {
    let path = std::env::join_paths(discover::search_path(env, target)).ok()?;
    let git = which::which_in("git", Some(path), "/").ok()?;
    answer(&git, &["--version"], env, Duration::from_secs(5))
}

/// `version`: what `git --version` said.
fn git(version: Option<&str>) -> Probe {
    let install = "Install git 2.38 or newer: `apt install git`, `brew install git` or git-scm.com.";
    let Some(version) = version else {
        return probe("git", ProbeState::Problem, "git was not found, or does not run.", install);
    };
    let number = version.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let numbers: Vec<u64> =
        number.unwrap_or_default().split('.').map_while(|part| part.parse().ok()).take(2).collect();
    if numbers.len() < 2 {
        let text = format!("git --version said {:?}, which is no version.", domain::head(version, 100));
        return probe("git", ProbeState::Problem, text, install);
    }
    if numbers.as_slice() < GIT.as_slice() {
        return probe("git", ProbeState::Problem, format!("{version} is too old; 2.38 is needed."), install);
    }
    probe("git", ProbeState::Ok, format!("{version}."), "")
}

fn disk(room: Room) -> Probe {
    let free = format!("{} MiB are free where sessions are kept", room.bytes >> 20);
    let fix = "Make room, or choose another disk with --workspace DIR.";
    if room.bytes < NO_BYTES {
        return probe(
            "disk",
            ProbeState::Problem,
            format!("Only {free}; a session needs at least 200 MiB."),
            fix,
        );
    }
    if let Some(inodes) = room.inodes.filter(|inodes| *inodes < FEW_INODES) {
        let text = format!("{free}, but only {inodes} more files can be made; a worktree may not fit.");
        return probe("disk", ProbeState::Warning, text, fix);
    }
    if room.bytes < FEW_BYTES {
        let text = format!("Only {free}; worktrees of a large project need more (2 GiB).");
        return probe("disk", ProbeState::Warning, text, fix);
    }
    probe("disk", ProbeState::Ok, format!("{free}."), "")
}

/// Locks and fsync cannot be trusted on network file systems (RELIABILITY R16).
fn filesystem(kind: Filesystem) -> Option<Probe> {
    match kind {
        Filesystem::Local => None,
        Filesystem::Remote(name) => Some(probe(
            "filesystem",
            ProbeState::Problem,
            format!("The workspace lies on {name}, where locks and syncing cannot be relied on."),
            "Choose a folder on a local disk with --workspace DIR.",
        )),
    }
}

fn user(root: bool) -> Option<Probe> {
    root.then(|| {
        probe(
            "user",
            ProbeState::Warning,
            "You are root, so agents would run as root: nothing on this machine would be out of their reach.",
            "Start the program as an ordinary user; to go on as root, give the consent --unsandboxed.",
        )
    })
}

fn open_files(most: u64) -> Probe {
    if FEW_FILES <= most {
        return probe("open files", ProbeState::Ok, format!("{most} files may be open at once."), "");
    }
    let text = format!("Only {most} files may be open at once; many workers need {FEW_FILES}.");
    probe("open files", ProbeState::Warning, text, format!("Run `ulimit -n {FEW_FILES}` before starting."))
}

/// What a session can begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preflight {
    /// Agents that can work, in the order of their names; at least one.
    pub agents: Vec<AgentInfo>,
    /// What is weaker than it could be, in sentences, for the journal and the window.
    pub warnings: Vec<String>,
    /// Where it happens.
    pub folders: Folders,
    /// Agents would run as root.
    pub root: bool,
}

/// The two folders of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders {
    /// The project, canonical.
    pub target: PathBuf,
    /// Where sessions live, canonical; it exists and can be written to.
    pub workspace: PathBuf,
}

/// Whether a session can begin (SPEC sections 3.1 and 18): prompt, folders, machine, agents.
///
/// # Errors
/// The first thing that keeps it from beginning: [`ErrorCode::Usage`] for a prompt or a folder that makes no sense,
/// [`ErrorCode::Preflight`] for something that is missing. The message says what is wrong, the hint what to do.
pub fn preflight(
    goal: &str,
    target: &Path,
    workspace: &Path,
    settings: &Settings,
    env: &Environment,
) -> Result<Preflight, UserError> {
    check_goal(goal)?;
    let folders = folders(target, workspace)?;
    judge(report(settings, &folders.workspace, Some(&folders.target), env), folders, system::is_root())
}

/// Agents, machine and folders of a session that needs no agent of the user's: the demo.
///
/// # Errors
/// As [`preflight`].
pub fn preflight_demo(target: &Path, workspace: &Path, env: &Environment) -> Result<Preflight, UserError> {
    let workspace = usable_workspace(workspace)?;
    let target = target.canonicalize().map_err(|error| no_target(target, &error))?;
    let problem =
        machine(&workspace, Some(&target), env).into_iter().find(|probe| probe.state == ProbeState::Problem);
    match problem {
        Some(Probe { text, fix, .. }) => Err(missing(text, fix)),
        None => Ok(Preflight {
            agents: Vec::new(),
            warnings: Vec::new(),
            folders: Folders { target, workspace },
            root: system::is_root(),
        }),
    }
}

/// Turns the doctor's report into go or no-go.
fn judge(report: Report, folders: Folders, root: bool) -> Result<Preflight, UserError> {
    let Report { of_agents, of_machine, agents } = report;
    if let Some(problem) = of_machine.iter().find(|probe| probe.state == ProbeState::Problem) {
        return Err(missing(problem.text.clone(), problem.fix.clone()));
    }
    if agents.is_empty() {
        let why: Vec<&str> = of_agents.iter().map(|probe| probe.text.trim_end_matches('.')).collect();
        let installs = Dialect::ALL.map(|dialect| format!("`{}`", discover::install(dialect))).join(" or ");
        return Err(missing(
            format!("No agent can work: {}.", why.join("; ")),
            format!(
                "Install at least one, better two of different vendors: {installs}; then look with `orchestrate doctor`."
            ),
        ));
    }
    let weak = |probe: &&Probe| probe.state != ProbeState::Ok;
    // Consent and root have entries of their own; the rest concerns the window or was chosen by the user.
    let news =
        |probe: &&Probe| !["sandbox", "user", "workspace", "notifications"].contains(&probe.name.as_str());
    let mut warnings: Vec<String> =
        of_agents.iter().filter(weak).map(|probe| format!("{}: {}", probe.name, probe.text)).collect();
    warnings.extend([vendors(&agents)].iter().filter(weak).map(|probe| probe.text.clone()));
    warnings.extend(of_machine.iter().filter(weak).filter(news).map(|probe| probe.text.clone()));
    Ok(Preflight { agents, warnings, folders, root })
}

fn missing(message: String, hint: String) -> UserError {
    UserError { code: ErrorCode::Preflight, message, hint }
}

fn usage(message: String, hint: &str) -> UserError {
    UserError { code: ErrorCode::Usage, message, hint: hint.to_owned() }
}

/// Refuses a prompt that is empty or larger than 1 MiB.
///
/// # Errors
/// [`ErrorCode::Usage`].
pub fn check_goal(goal: &str) -> Result<(), UserError> {
    if goal.trim().is_empty() {
        return Err(usage("The prompt is empty.".to_owned(), "Say what should be done."));
    }
    if MOST_GOAL_BYTES < goal.len() {
        let message = format!("The prompt has {} bytes; the most is 1 MiB.", goal.len());
        return Err(usage(
            message,
            "Put long material into files of the project and name them in the prompt.",
        ));
    }
    if goal.contains('\0') {
        return Err(usage("The prompt holds a NUL character.".to_owned(), "Give plain text."));
    }
    Ok(())
}

/// Checks the project folder and the workspace against each other, and makes the workspace when it is not there.
///
/// The workspace may not lie inside the project, ignored by git or not: a project without git is worked on in place
/// with a snapshot of the whole folder, which would then hold every session inside of itself.
///
/// # Errors
/// [`ErrorCode::Usage`] for folders that make no sense, [`ErrorCode::Preflight`] for rights that are missing.
pub fn folders(target: &Path, workspace: &Path) -> Result<Folders, UserError> {
    let target = usable_target(target, std::env::home_dir().as_deref())?;
    if folders::is_inside(&target, workspace) {
        return Err(usage(
            format!("The project {} lies inside the workspace {}.", target.display(), workspace.display()),
            "Choose a project folder elsewhere, or another workspace with --workspace DIR.",
        ));
    }
    if folders::is_inside(workspace, &target) {
        return Err(usage(
            format!("The workspace {} lies inside the project {}.", workspace.display(), target.display()),
            "Choose a workspace outside of the project with --workspace DIR.",
        ));
    }
    Ok(Folders { workspace: usable_workspace(workspace)?, target })
}

fn no_target(target: &Path, error: &io::Error) -> UserError {
    if error.kind() == io::ErrorKind::NotFound {
        return usage(
            format!("The project folder {} is not there.", target.display()),
            "Give a project folder that exists, with -C DIR or the folder button.",
        );
    }
    missing(
        format!("The project folder {} cannot be opened: {error}.", target.display()),
        "Give yourself the right to read and write it.".to_owned(),
    )
}

fn usable_target(target: &Path, home: Option<&Path>) -> Result<PathBuf, UserError> {
    let path = target.canonicalize().map_err(|error| no_target(target, &error))?;
    let shown = path.display();
    let hint = "Choose the folder of one project.";
    if !path.is_dir() {
        return Err(usage(format!("The project {shown} is not a folder."), hint));
    }
    if path.to_str().is_none() {
        return Err(usage(format!("The path {shown} is not UTF-8."), "Rename the folder."));
    }
    if path.parent().is_none() {
        return Err(usage(format!("{shown} is the root folder, which is no project."), hint));
    }
    if home.is_some_and(|home| folders::resolved(home).starts_with(&path)) {
        return Err(usage(format!("{shown} is your home folder, or holds it; that is no project."), hint));
    }
    let fix = "Give yourself the right to read and write it.".to_owned();
    if let Err(error) = fs::read_dir(&path) {
        return Err(missing(format!("The project folder {shown} cannot be read: {error}."), fix));
    }
    if let Err(error) = system::may_write(&path) {
        return Err(missing(format!("The project folder {shown} cannot be written to: {error}."), fix));
    }
    Ok(path)
}

fn usable_workspace(workspace: &Path) -> Result<PathBuf, UserError> {
    writable_workspace(workspace)?;
    let path = folders::resolved(workspace);
    if path.to_str().is_none() {
        return Err(usage(format!("The path {} is not UTF-8.", path.display()), "Choose another workspace."));
    }
    Ok(path)
}

/// Makes the workspace, readable by nobody else, and tries whether a file can be written and synced there.
fn writable_workspace(workspace: &Path) -> Result<(), UserError> {
    let tried = system::private_folder(workspace).and_then(|()| {
        let probe = workspace.join(format!(".probe-{}", uuid::Uuid::new_v4()));
        let written = fs::File::create_new(&probe).and_then(|file| {
            io::Write::write_all(&mut &file, b"probe")?;
            file.sync_all()
        });
        let removed = fs::remove_file(&probe);
        written.and(removed)
    });
    tried.map_err(|error| {
        missing(
            format!("The workspace {} cannot be written to: {error}.", workspace.display()),
            "Make it writable, or choose another with --workspace DIR.".to_owned(),
        )
    })
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
