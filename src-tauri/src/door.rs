//! The engine behind the window, opened with the first request so that the window need not wait for it.

use std::{path::PathBuf, time::Duration};

use domain::{ErrorCode, Request, Response, SessionId, UserError};
use engine::{Engine, Options};
use tauri::{AppHandle, async_runtime};
use tauri_plugin_shell::ShellExt;
use tokio::sync::OnceCell;

use crate::{arguments::Arguments, logging, relay};

/// Opens the engine when it is first needed.
pub(crate) struct Door {
    arguments: Arguments,
    engine: OnceCell<Engine>,
}

impl Door {
    /// A door that is still shut.
    pub(crate) fn new(arguments: Arguments) -> Self {
        Self { arguments, engine: OnceCell::new() }
    }

    /// Passes a request on.
    pub(crate) async fn request(&self, app: &AppHandle, call: Request) -> Result<Response, UserError> {
        self.engine(app).await?.request(call).await
    }

    /// Shows a session's project folder in the file manager.
    pub(crate) async fn open_folder(&self, app: &AppHandle, session: &SessionId) -> Result<(), UserError> {
        let Response::Sessions { sessions } = self.request(app, Request::Sessions).await? else {
            return Err(internal("it did not tell its sessions"));
        };
        let Some(found) = sessions.into_iter().find(|known| known.session == *session) else {
            return Err(UserError {
                code: ErrorCode::Usage,
                message: format!("There is no session {session}."),
                hint: "Pick one from the list of sessions.".to_owned(),
            });
        };
        #[expect(
            deprecated,
            reason = "the plugin that replaces it brings a scope for the window, which has no right here"
        )]
        app.shell().open(&found.target, None).map_err(|error| UserError {
            code: ErrorCode::Internal,
            message: format!("The file manager could not be started: {error}."),
            hint: format!("Open {} yourself.", found.target),
        })
    }

    /// Stops all sessions of this process gracefully, if the engine was ever opened.
    pub(crate) async fn shutdown(&self, grace: Duration) {
        if let Some(engine) = self.engine.get() {
            engine.shutdown(grace).await;
        }
    }

    /// The engine, opened now if it was not before.
    async fn engine(&self, app: &AppHandle) -> Result<&Engine, UserError> {
        let open = || async {
            let options = options(&self.arguments)?;
            logging::start(&options.workspace);
            let engine = Engine::new(options)?;
            async_runtime::spawn(relay::run(app.clone(), engine.signals()));
            Ok(engine)
        };
        self.engine.get_or_try_init(open).await
    }
}

fn options(arguments: &Arguments) -> Result<Options, UserError> {
    let workspace = match &arguments.workspace {
        Some(workspace) => workspace.clone(),
        None => engine::default_workspace()?,
    };
    Ok(Options { workspace, config: arguments.config.clone(), orchestrate: orchestrate()? })
}

/// The program `orchestrate`, which lies beside ours: guardian, MCP server and demo agents are its subcommands.
fn orchestrate() -> Result<PathBuf, UserError> {
    let name = format!("orchestrate{}", std::env::consts::EXE_SUFFIX);
    let beside = std::env::current_exe().map_err(internal)?.with_file_name(name);
    if beside.is_file() {
        return Ok(beside);
    }
    Err(UserError {
        code: ErrorCode::Preflight,
        message: format!("The program {} is missing.", beside.display()),
        hint: "It comes with this one: install both again, or build them with `make run`.".to_owned(),
    })
}

fn internal(error: impl std::fmt::Display) -> UserError {
    UserError {
        code: ErrorCode::Internal,
        message: format!("The engine could not be started: {error}."),
        hint: "Start the program again; when that does not help, `orchestrate doctor` says what is wrong."
            .to_owned(),
    }
}
