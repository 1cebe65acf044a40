//! What a person does to a session that another process runs: a mailbox of files in the session's folder.
//!
//! A request is `control/<uuid>.json`, written under another name and renamed, so that it is whole; the answer is
//! `control/<uuid>.reply`. Files work on every system, survive both processes, and need no port.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use domain::{Act, Actor, ErrorCode, UserError};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{Context, Message, internal};
use crate::private;

/// How often the running process looks into its mailbox.
const LOOK: Duration = Duration::from_millis(150);
/// How long the other process waits for an answer before it says that none came.
const PATIENCE: Duration = Duration::from_secs(15);

#[derive(Debug, Serialize, Deserialize)]
struct Reply {
    refused: Option<UserError>,
}

fn folder(session: &Path) -> PathBuf {
    session.join("control")
}

/// Looks into the mailbox as long as the session runs.
pub(super) struct Mailbox {
    closing: oneshot::Sender<()>,
    looks: JoinHandle<()>,
}

impl Mailbox {
    pub(super) fn open(context: Arc<Context>) -> Self {
        let (closing, mut closed) = oneshot::channel();
        let looks = tokio::spawn(async move {
            let folder = folder(&context.folder);
            let _ = private::folder(&folder);
            loop {
                for path in letters(&folder) {
                    answer(&context, &path).await;
                }
                if tokio::time::timeout(LOOK, &mut closed).await.is_ok() {
                    break;
                }
            }
            for path in letters(&folder) {
                answer(&context, &path).await;
            }
        });
        Self { closing, looks }
    }

    /// Answers what has arrived, and looks no more. The session must take no more messages by then: whoever stopped it is
    /// told so before its process is gone, and whoever came too late that it was too late.
    pub(super) async fn close(self) {
        drop(self.closing);
        let _ = self.looks.await;
    }
}

fn letters(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.extension().is_some_and(|ext| ext == "json"));
    found.sort(); // UUIDs of version 7 sort by time
    found
}

async fn answer(context: &Context, path: &Path) {
    let act = std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice::<Act>(&bytes).ok());
    // Taken before it is done: a crash in between loses a click, it never does it twice.
    if std::fs::remove_file(path).is_err() {
        return;
    }
    let refused = match act {
        None => {
            Some(internal("the request could not be read", "Use the same version of the program everywhere."))
        }
        Some(act) => {
            let (reply, answered) = oneshot::channel();
            let closing = || Some(internal("the session is closing", "Try again in a moment."));
            let sent = context.inbox.send(Message::Act(act, Actor::Person, reply)).await;
            match sent {
                Ok(()) => answered.await.map_or_else(|_| closing(), Result::err),
                Err(_) => closing(),
            }
        }
    };
    let text = serde_json::to_vec(&Reply { refused }).unwrap_or_default();
    let new = path.with_extension("part");
    if std::fs::write(&new, text).is_ok() {
        let _ = std::fs::rename(&new, path.with_extension("reply"));
    }
}

/// Puts a letter into a session's mailbox; gives where the answer will be.
fn deliver(session: &Path, act: &Act) -> std::io::Result<PathBuf> {
    let folder = folder(session);
    private::folder(&folder)?;
    let path = folder.join(format!("{}.json", uuid::Uuid::now_v7()));
    let new = path.with_extension("part");
    std::fs::write(&new, serde_json::to_vec(act)?)?;
    std::fs::rename(&new, &path)?;
    Ok(path)
}

/// A full disk has no room for letters either; signals need none.
fn undelivered(session: &Path, fault: &std::io::Error) -> UserError {
    let by = crate::journal::holder(session).map_or_else(|| "the program".to_owned(), |by| by.to_string());
    internal(
        &format!("nothing can be written to the session's folder: {fault}"),
        &format!(
            "Make room; or interrupt {by}, which runs it: once stops its workers, twice leaves it as it is."
        ),
    )
}

/// Asks the process that runs a session to do something.
///
/// # Errors
/// What that process refuses, or that it did not answer.
pub(crate) async fn forward(session: &Path, act: &Act) -> Result<(), UserError> {
    let path = deliver(session, act).map_err(|fault| undelivered(session, &fault))?;
    let reply = path.with_extension("reply");
    let read = async {
        loop {
            if let Ok(bytes) = std::fs::read(&reply) {
                let _ = std::fs::remove_file(&reply);
                return serde_json::from_slice::<Reply>(&bytes).ok().and_then(|reply| reply.refused);
            }
            tokio::time::sleep(LOOK / 3).await;
        }
    };
    match tokio::time::timeout(PATIENCE, read).await {
        Ok(None) => Ok(()),
        Ok(Some(refused)) => Err(refused),
        Err(_) => {
            let _ = std::fs::remove_file(&path);
            Err(UserError {
                code: ErrorCode::Busy,
                message: "the process that runs this session does not answer".to_owned(),
                hint: "Look at `status`; end that process if it hangs, then resume the session.".to_owned(),
            })
        }
    }
}
