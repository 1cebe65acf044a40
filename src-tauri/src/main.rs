//! The desktop shell: one window, one door to the engine, one small event. Everything else is the engine's.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod arguments;
mod door;
mod logging;
mod notices;
mod quit;
mod relay;

use std::process::ExitCode;

use domain::{Request, Response, SessionId, UserError};
use tauri::{
    AppHandle, Manager, RunEvent, State, WebviewUrl, WebviewWindow, WebviewWindowBuilder, WindowEvent,
};
use tauri_plugin_dialog::DialogExt;
use tauri_plugin_window_state::StateFlags;

use crate::{arguments::Arguments, door::Door, quit::Quit};

/// The only window.
const WINDOW: &str = "main";

/// The one door between the window and the engine.
#[tauri::command]
async fn request(app: AppHandle, door: State<'_, Door>, call: Request) -> Result<Response, UserError> {
    door.request(&app, call).await
}

/// The native folder picker; `None` when the user thinks better of it.
#[tauri::command]
async fn pick_folder(window: WebviewWindow) -> Option<String> {
    let (answer, answered) = tokio::sync::oneshot::channel();
    let picker = window.dialog().file().set_parent(&window).set_title("Choose the project folder");
    picker.pick_folder(move |folder| {
        // The window may be gone by now; then nobody wants to know.
        let _ = answer.send(folder);
    });
    Some(answered.await.ok()??.into_path().ok()?.to_string_lossy().into_owned())
}

/// Shows a session's project folder in the file manager. Takes a name and no path: the window opens nothing else.
#[tauri::command]
async fn open_folder(app: AppHandle, door: State<'_, Door>, session: SessionId) -> Result<(), UserError> {
    door.open_folder(&app, &session).await
}

fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args_os().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => return say(&error.to_string(), 2),
    };
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("The window could not be opened: {error}. `orchestrate` works without one."), 1)
        }
    }
}

#[expect(clippy::print_stderr, reason = "there is no window yet to say it in")]
fn say(text: &str, code: u8) -> ExitCode {
    eprintln!("{text}");
    ExitCode::from(code)
}

fn run(arguments: Arguments) -> tauri::Result<()> {
    let session = arguments.session.clone();
    let kept = StateFlags::SIZE | StateFlags::POSITION | StateFlags::MAXIMIZED | StateFlags::FULLSCREEN;
    tauri::Builder::default()
        .plugin(tauri_plugin_single_instance::init(|app, argv, _| come_to_front(app, argv)))
        .plugin(tauri_plugin_window_state::Builder::new().with_state_flags(kept).build())
        .plugin(tauri_plugin_dialog::init())
        .plugin(tauri_plugin_notification::init())
        .plugin(tauri_plugin_shell::init())
        .manage(Door::new(arguments))
        .manage(Quit::default())
        .setup(move |app| {
            open_window(app.handle(), session.as_ref())?;
            quit::on_signal(app.handle());
            Ok(())
        })
        .on_window_event(|window, event| {
            if let WindowEvent::CloseRequested { api, .. } = event
                && window.state::<Quit>().hold(window.app_handle())
            {
                api.prevent_close();
            }
        })
        .invoke_handler(tauri::generate_handler![request, pick_folder, open_folder])
        .build(tauri::generate_context!())?
        .run(|app, event| {
            if let RunEvent::ExitRequested { api, .. } = event
                && app.state::<Quit>().hold(app)
            {
                api.prevent_exit();
            }
        });
    Ok(())
}

/// The window of tauri.conf.json, at a session when one was named.
fn open_window(app: &AppHandle, session: Option<&SessionId>) -> tauri::Result<()> {
    let Some(mut config) = app.config().app.windows.first().cloned() else { return Ok(()) };
    if let Some(session) = session {
        config.url = WebviewUrl::App(format!("index.html#{session}").into());
    }
    // The page's title says how many sessions need the user.
    let named = |window: WebviewWindow, title: String| {
        if let Err(error) = window.set_title(&title) {
            tracing::warn!("failed to name the window: {error}");
        }
    };
    WebviewWindowBuilder::from_config(app, &config)?.on_document_title_changed(named).build()?;
    Ok(())
}

/// A second start of the program: the window that is there comes to the front, at the session that was named.
fn come_to_front(app: &AppHandle, argv: Vec<String>) {
    let Some(window) = app.get_webview_window(WINDOW) else { return };
    let shown = window.unminimize().and_then(|()| window.show()).and_then(|()| window.set_focus());
    if let Err(error) = shown {
        tracing::warn!("failed to bring the window to the front: {error}");
    }
    let named = Arguments::read(argv.into_iter().skip(1)).ok().and_then(|arguments| arguments.session);
    if let Some(session) = named
        && let Ok(mut address) = window.url()
    {
        // The part after `#` names the session; changing it alone loads nothing anew.
        address.set_fragment(Some(&session.to_string()));
        if let Err(error) = window.navigate(address) {
            tracing::warn!("failed to show session {session}: {error}");
        }
    }
}
