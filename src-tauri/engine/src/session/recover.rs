//! What is left of the workers of a run that is over: processes that still live, output that was not read.

use std::sync::Arc;
use std::time::Duration;

use agents::Reader;
use domain::{Exit, ExitCause, Input, State, WorkerId};
use tracing::info;

use super::Context;
use super::worker::{Files, cookie, errors, read_line, usage_before};
use crate::calls::{self, Called};
use crate::process::{Ended, ExitRecord, Tail};

/// How long a guardian that lost us may take to take its worker down and write it up (RELIABILITY G1: 2 s).
const GUARDIAN: Duration = Duration::from_secs(2);

/// Takes down what still runs, then reads what each worker said after the last entry, up to its end.
pub(super) async fn left(context: &Arc<Context>, state: &State) -> Vec<Input> {
    let live: Vec<WorkerId> = state.live().map(|(id, _)| id).collect();
    if live.is_empty() {
        return Vec::new();
    }
    let identities: Vec<_> = live.iter().filter_map(|id| state.workers.get(id)?.process.clone()).collect();
    let cookies: Vec<String> = live.iter().map(|id| cookie(context, *id)).collect();
    wait_for_guardians(context, state, &live).await;
    let swept = tokio::task::spawn_blocking(move || crate::process::sweep(&identities, &cookies)).await;
    info!(session = %context.opened.session, workers = live.len(), swept = ?swept.ok(), "what was left is taken down");
    let mut inputs = Vec::new();
    for worker in live {
        inputs.extend(rest_of(context, state, worker).await);
    }
    inputs
}

async fn wait_for_guardians(context: &Context, state: &State, live: &[WorkerId]) {
    let written = |id: &WorkerId| {
        let Some(found) = state.workers.get(id).filter(|found| found.process.is_some()) else { return true };
        let files = Files::of(&context.folder, *id, &found.assignment);
        matches!(ExitRecord::read(&files.record), Ok(Some(_)))
    };
    let all = async {
        while !live.iter().all(written) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let _ = tokio::time::timeout(GUARDIAN, all).await;
}

async fn rest_of(context: &Context, state: &State, worker: WorkerId) -> Vec<Input> {
    let Some(found) = state.workers.get(&worker) else { return Vec::new() };
    let files = Files::of(&context.folder, worker, &found.assignment);
    let mut inputs = Vec::new();
    let dialect = state.agent(&found.assignment.agent).map_or(domain::Dialect::Claude, |agent| agent.dialect);
    let mut reader = Reader::new(dialect).after(usage_before(state, &found.assignment));
    let record = record(&files);
    if let Ok(mut tail) = Tail::open(&files.stdout, 0, Ended::already(record.clone())) {
        while let Some(line) = tail.next().await {
            let events = read_line(&mut reader, &line.bytes, line.kind);
            if found.offset < line.end_offset {
                let offset = line.end_offset;
                inputs.extend(events.into_iter().map(|said| Input::Said { worker, offset, said }));
            }
        }
    }
    inputs.extend(unread_calls(&files, worker, found.calls, &record).await);
    inputs.extend(reader.rest().into_iter().map(|said| Input::Said { worker, offset: 0, said }));
    let exit = record.exit;
    let failed = reader.finish(&exit, &errors(&files, &exit), &jiff::Zoned::now());
    let told = Box::new(reader.told().clone());
    inputs.push(Input::Ended { worker, exit, told, failed });
    inputs
}

/// Calls that were made while nobody was there to take them. Those that waited for an answer get one that nobody reads.
async fn unread_calls(files: &Files, worker: WorkerId, from: u64, record: &ExitRecord) -> Vec<Input> {
    let mut inputs = Vec::new();
    let Ok(mut tail) = Tail::open(&files.calls, from, Ended::already(record.clone())) else { return inputs };
    while let Some(line) = tail.next().await {
        if let Ok(Called { call, what, .. }) = calls::read(&line.bytes) {
            inputs.push(Input::Called { worker, offset: line.end_offset, call, what });
        }
    }
    inputs
}

/// What a guardian wrote; a worker without record went down with its guardian.
fn record(files: &Files) -> ExitRecord {
    let orphaned = || Exit { code: None, signal: None, cause: ExitCause::Orphaned };
    match ExitRecord::read(&files.record) {
        Ok(Some(record)) => record,
        Ok(None) => ExitRecord::without(orphaned(), "its guardian left no record".to_owned()),
        Err(fault) => ExitRecord::without(orphaned(), fault.to_string()),
    }
}
