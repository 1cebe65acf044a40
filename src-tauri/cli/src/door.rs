//! The one door to the engine, as the terminal uses it.

use domain::{ErrorCode, Request, Response, Row, Seq, SessionId, UserError};

/// Where requests go. The engine's own, or a script in tests.
pub(crate) trait Door: Clone + Send + Sync + 'static {
    /// Asks, and waits for the answer.
    fn request(&self, request: Request) -> impl Future<Output = Result<Response, UserError>> + Send;
}

impl Door for engine::Engine {
    async fn request(&self, request: Request) -> Result<Response, UserError> {
        Self::request(self, request).await
    }
}

/// An answer that does not fit its question: a fault of ours.
pub(crate) fn unexpected(to: &str) -> UserError {
    UserError {
        code: ErrorCode::Internal,
        message: format!("The engine's answer to {to} is of another kind."),
        hint: "This is a fault in the program: please report it.".to_owned(),
    }
}

/// Rows newer than a cursor, with the new cursor; waits for some.
pub(crate) async fn watch(
    door: &impl Door,
    session: SessionId,
    since: Seq,
) -> Result<(Seq, Vec<Row>), UserError> {
    let Response::Update { seq, rows } = door.request(Request::Watch { session, since }).await? else {
        return Err(unexpected("watch"));
    };
    Ok((seq, rows))
}

/// Does something to a session.
pub(crate) async fn act(door: &impl Door, session: SessionId, act: domain::Act) -> Result<(), UserError> {
    let Response::Accepted = door.request(Request::Act { session, act }).await? else {
        return Err(unexpected("act"));
    };
    Ok(())
}
