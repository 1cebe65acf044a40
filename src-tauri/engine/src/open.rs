//! Opening sessions: new ones, the demo, and those that are taken up again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::{
    AgentInfo, ErrorCode, FORMAT, Input, Level, Opened, Response, SandboxReport, SessionId, Settings, State,
    UserError,
};

use crate::discover::{self, Environment};
use crate::door::{Engine, Options, blocking, git, journal_error};
use crate::folded::{Folded, Folds};
use crate::git::Git;
use crate::journal::{CutTail, Journal, JournalError};
use crate::session::{self, Start, internal};
use crate::trees::{self, Trees};
use crate::{brought, doctor, private, renew, sandbox};

impl Engine {
    pub(crate) async fn open(
        &self,
        goal: String,
        target: String,
        approve: bool,
        unsandboxed: bool,
    ) -> Result<Response, UserError> {
        let (mut options, mut settings) = (self.inner.options.clone(), self.inner.settings.clone());
        settings.approve_plan |= approve;
        let begun = blocking(move || {
            let env = discover::environment();
            let checked = doctor::preflight(&goal, Path::new(&target), &options.workspace, &settings, &env)?;
            let tested = if unsandboxed {
                None
            } else {
                Some(confined(&options.orchestrate, &settings, &env, &checked.folders.workspace)?)
            };
            let target = checked.folders.target;
            options.workspace = checked.folders.workspace;
            let checks = match &settings.checks[..] {
                [] => trees::inspect(&git()?, &target).map(|facts| facts.checks).unwrap_or_default(),
                set => set.to_vec(),
            };
            let new = New {
                goal,
                target,
                checks,
                agents: checked.agents,
                warnings: checked.warnings,
                unsandboxed,
                tested,
                demo: false,
            };
            begin(&options, settings, new, env)
        })
        .await?;
        self.begin(begun)
    }

    pub(crate) async fn demo(&self, approve: bool) -> Result<Response, UserError> {
        let options = self.inner.options.clone();
        let begun = blocking(move || {
            let env = discover::environment();
            let target = crate::demo::prepare(&options.workspace, &git()?)?;
            let checks = vec![agents::demo::CHECK.to_owned()];
            let settings = Settings { approve_plan: approve, checks: checks.clone(), ..Settings::default() };
            let new = New {
                goal: agents::demo::GOAL.to_owned(),
                target,
                checks,
                agents: agents::demo::agents(&options.orchestrate.to_string_lossy()),
                warnings: vec!["These are demo agents: scripts, no AI.".to_owned()],
                unsandboxed: false,
                tested: None,
                demo: true,
            };
            begin(&options, settings, new, env)
        })
        .await?;
        self.begin(begun)
    }

    fn begin(&self, begun: Begun) -> Result<Response, UserError> {
        let session = begun.opened.session.clone();
        let mut first =
            vec![Input::Open { opened: Box::new(begun.opened.clone()), warnings: begun.warnings }];
        first.extend(begun.found.tested.iter().map(|(report, _)| Input::Sandbox(Box::new(report.clone()))));
        self.start(begun.journal, State::default(), begun.opened, first, begun.found)?;
        Ok(Response::Opened { session })
    }

    fn start(
        &self,
        journal: Journal,
        state: State,
        opened: Opened,
        first: Vec<Input>,
        found: Found,
    ) -> Result<(), UserError> {
        let inner = &self.inner;
        let session = opened.session.clone();
        let Found { git, env, tested } = found;
        let sandbox = tested.map(|(report, bwrap)| sandbox::Start {
            report,
            bwrap,
            orchestrate: inner.options.orchestrate.clone(),
            rules: opened.settings.sandbox.clone(),
            session: journal.folder().to_owned(),
            target: PathBuf::from(&opened.target),
            proxy: own_proxy(&env),
        });
        let handle = session::start(Start {
            journal,
            state,
            opened,
            first,
            git,
            env,
            orchestrate: inner.options.orchestrate.clone(),
            processes: self.processes()?,
            sandbox,
            settings: inner.settings.clone(),
            signals: inner.signals.clone(),
        })?;
        self.inner.views.forget(&session);
        self.sessions().insert(session, handle);
        Ok(())
    }

    pub(crate) async fn resume(&self, session: &SessionId) -> Result<(), UserError> {
        let _one = self.inner.opening.lock().await;
        if self.handle(session).is_some() {
            return Ok(());
        }
        let folder = self.folder(session)?;
        let (id, folds) = (session.clone(), Arc::clone(&self.inner.folds));
        let (orchestrate, settings) = (self.inner.options.orchestrate.clone(), self.inner.settings.clone());
        let (journal, state, mut opened, mut news, cut, git, env, tested) = blocking(move || {
            let opened = take_up(&folds, &folder, &id);
            let (journal, state, cut) = opened.map_err(|fault| busy(&folder, journal_error(&fault)))?;
            let Some(opened) = &state.opened else {
                return Err(internal(
                    "this session has no first entry",
                    "Start a new one; its prompt is in prompt.md.",
                ));
            };
            renew::places(&state, opened, &folder)?;
            let env = discover::environment();
            let (mut opened, news) = renew::renewed(&state, opened, &settings, &env, &orchestrate);
            // The user may have approved it since, or thought better of it.
            if let (Some(found), Some(workspace)) = (&mut opened.brought, folder.parent()) {
                let known = brought::is_approved(workspace, Path::new(&opened.target), &found.hash);
                found.approved = known && found.unfit.is_none();
            }
            let tested = if opened.unsandboxed || opened.demo || is_done(&state) {
                None
            } else {
                Some(confined(&orchestrate, &opened.settings, &env, &folder)?)
            };
            Ok((journal, state, opened, news, cut, git()?, env, tested))
        })
        .await?;
        let cut = cut.map(|cut| {
            format!(
                "{} bytes of an interrupted write were cut off and kept in {}",
                cut.bytes,
                cut.kept_at.display()
            )
        });
        news.extend(cut);
        let mut first = vec![Input::Resume { warnings: news }];
        if !opened.demo {
            opened.settings.limits = self.inner.settings.limits.clone();
            first.push(Input::Limits(Box::new(opened.settings.limits.clone())));
        }
        first.extend(tested.iter().map(|(report, _)| Input::Sandbox(Box::new(report.clone()))));
        self.start(journal, state, opened, first, Found { git, env, tested })
    }
}

/// Opens a journal, and gives what follows from it. What this process has read already it need not read again.
fn take_up(
    folds: &Folds,
    folder: &Path,
    session: &SessionId,
) -> Result<(Journal, State, Option<CutTail>), JournalError> {
    let Folded { state, known, .. } = folds.of(folder)?;
    if let Some(known) = known
        && let Some(journal) = Journal::open_known(folder, session, &known)?
    {
        return Ok((journal, state, None));
    }
    let mut state = State::default();
    let (journal, cut) = Journal::open_each(folder, session, |entry| state.apply(&entry))?;
    Ok((journal, state, cut))
}

/// Names the process that runs the session, when that is what keeps it from being opened.
fn busy(folder: &Path, fault: UserError) -> UserError {
    match crate::journal::holder(folder).filter(|_| fault.code == ErrorCode::Busy) {
        Some(by) => UserError { message: format!("{}: {by}", fault.message), ..fault },
        None => fault,
    }
}

/// The proxy that programs of the user's take for HTTPS.
fn own_proxy(env: &Environment) -> Option<String> {
    let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    names.into_iter().filter_map(|name| env.get(name)).find(|value| !value.trim().is_empty()).cloned()
}

/// What a session finds on this machine.
struct Found {
    git: Git,
    env: Environment,
    tested: Option<Tested>,
}

/// What the self-test came to, and the program that confines.
type Tested = (SandboxReport, PathBuf);

/// Tests the sandbox; where there is none, only the user's consent begins a session.
fn confined(
    orchestrate: &Path,
    settings: &Settings,
    env: &Environment,
    place: &Path,
) -> Result<Tested, UserError> {
    let (report, bwrap) = sandbox::assess(orchestrate, &settings.sandbox, env, place);
    if report.level != Level::L0 {
        return Ok((report, bwrap));
    }
    Err(UserError {
        code: ErrorCode::Consent,
        message: format!(
            "agents would run without a sandbox, with all the rights you have: {}",
            report.misses.join("; ")
        ),
        hint:
            "Mend that, or agree for this session with --unsandboxed (in the window: type the word it asks \
               for), or try `orchestrate demo`."
                .to_owned(),
    })
}

/// A session that is only looked at.
fn is_done(state: &State) -> bool {
    matches!(state.ended, Some((domain::Outcome::Done, _)))
}

struct New {
    goal: String,
    target: PathBuf,
    checks: Vec<String>,
    agents: Vec<AgentInfo>,
    warnings: Vec<String>,
    unsandboxed: bool,
    tested: Option<Tested>,
    demo: bool,
}

struct Begun {
    journal: Journal,
    opened: Opened,
    warnings: Vec<String>,
    found: Found,
}

/// A new session's folder, trees and journal. The prompt is kept before anything else is tried (FIELD 9).
fn begin(options: &Options, settings: Settings, new: New, env: Environment) -> Result<Begun, UserError> {
    let git = git()?;
    let session = SessionId(uuid::Uuid::now_v7().to_string());
    let folder = options.workspace.join(&session.0);
    let disk = |fault: std::io::Error| {
        internal(&format!("{}: {fault}", folder.display()), "Check the workspace folder.")
    };
    private::folder(&folder).map_err(disk)?;
    let folder = folder.canonicalize().map_err(disk)?;
    private::write(&folder.join(crate::sessions::PROMPT), new.goal.as_bytes()).map_err(disk)?;
    let begun = Trees::begin(&git, &new.target, &folder, &session).map_err(|fault| UserError {
        code: ErrorCode::Preflight,
        message: fault.to_string(),
        hint: format!("Your prompt is kept in {}.", folder.join(crate::sessions::PROMPT).display()),
    })?;
    let journal = Journal::create(&folder, &session).map_err(|fault| journal_error(&fault))?;
    let text = |path: &Path| path.to_string_lossy().into_owned();
    // What cannot be looked at is not approved, and not loaded.
    let brought = brought::of_project(&git, &new.target, &options.workspace).ok().flatten();
    let opened = Opened {
        format: FORMAT,
        session,
        goal: new.goal,
        target: text(&new.target),
        folder: text(&folder),
        trees: begun.trees,
        checks: new.checks,
        agents: new.agents,
        settings: settings.without_secrets(),
        unsandboxed: new.unsandboxed,
        demo: new.demo,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        brought,
    };
    let warnings = new.warnings.into_iter().chain(begun.warnings).collect();
    Ok(Begun { journal, opened, warnings, found: Found { git, env, tested: new.tested } })
}
