//! `orchestrate mcp`: the server through which workers talk to the orchestrator by tools (SPEC sections 4 and 5).
//!
//! It decides nothing. Every call becomes a line of a file that the engine follows; where the model needs an answer,
//! the server waits for the file that the engine writes. So a call survives the engine, and an engine that comes back
//! finds what was asked meanwhile.

use std::{
    ffi::OsString,
    path::PathBuf,
    pin::Pin,
    process::ExitCode,
    task::{Context, Poll},
    time::Duration,
};

use domain::{AgentError, AgentEvent, Call, WorkerId};
use engine::calls::{self, Answered, Called};
use jiff::Timestamp;
use rmcp::{
    ErrorData, RoleServer, ServerHandler, ServiceExt as _,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
        ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig,
    },
    service::RequestContext,
    transport::stdio_pipes,
};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, ReadBuf},
    sync::watch,
};

mod tools;

use tools::Read;

/// The server's name; tools are called `mcp__orchestrator__report` and the like after it.
const NAME: &str = agents::MCP_SERVER;
/// How often the folder of answers is looked at.
const PAUSE: Duration = Duration::from_millis(50);
/// Exit status for wrong arguments, as everywhere in this program.
const USAGE: u8 = 2;

/// Serves on standard input and output until the input ends. `rest`: the words after `mcp`.
pub(crate) fn run(rest: Vec<OsString>) -> ExitCode {
    let server = match Server::read(rest) {
        Ok(server) => server,
        Err(fault) => {
            complain(&fault);
            return ExitCode::from(USAGE);
        }
    };
    match serve(server) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            complain(&fault);
            ExitCode::FAILURE
        }
    }
}

/// Standard output belongs to the protocol alone.
#[expect(clippy::print_stderr, reason = "the CLI that started us keeps our standard error in its log")]
fn complain(fault: &str) {
    eprintln!("orchestrate mcp: {fault}");
}

fn serve(mut server: Server) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start: {error}"))?;
    let outcome = runtime.block_on(async {
        let (input, output) = stdio_pipes();
        let (over, ended) = watch::channel(false);
        server.ended = ended;
        let input = Watched { input, over };
        let running = server.serve((input, output)).await.map_err(|error| format!("no client: {error}"))?;
        running.waiting().await.map_err(|error| format!("broke off: {error}"))
    });
    // A read of standard input may still be waiting on a thread of its own.
    runtime.shutdown_background();
    outcome.map(|_| ())
}

/// Standard input that tells when it ended, so that a call that waits for the user does not keep us alive.
struct Watched<R> {
    input: R,
    over: watch::Sender<bool>,
}

impl<R: AsyncRead + Unpin> AsyncRead for Watched<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let (before, room) = (buffer.filled().len(), buffer.remaining());
        let polled = Pin::new(&mut self.input).poll_read(cx, buffer);
        let nothing = 0 < room && buffer.filled().len() == before;
        if matches!(&polled, Poll::Ready(outcome) if outcome.is_err() || nothing) {
            self.over.send_replace(true);
        }
        polled
    }
}

/// One worker's server.
struct Server {
    /// The file of calls.
    calls: PathBuf,
    /// The folder of answers.
    answers: PathBuf,
    worker: WorkerId,
    /// Turns true when standard input ends.
    ended: watch::Receiver<bool>,
}

impl Server {
    fn read(rest: Vec<OsString>) -> Result<Self, String> {
        let (mut calls, mut answers, mut worker) = (None, None, None);
        let mut words = rest.into_iter();
        while let Some(word) = words.next() {
            let name = word.to_string_lossy().into_owned();
            let value = words.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--calls" => calls = Some(PathBuf::from(value)),
                "--answers" => answers = Some(PathBuf::from(value)),
                "--worker" => {
                    worker = Some(value.to_string_lossy().parse::<WorkerId>().map_err(|e| e.to_string())?)
                }
                _ => return Err(format!("unknown argument {name}")),
            }
        }
        let missing = |name: &str| format!("{name} is missing; this command is for programs");
        Ok(Self {
            calls: calls.ok_or_else(|| missing("--calls FILE"))?,
            answers: answers.ok_or_else(|| missing("--answers DIR"))?,
            worker: worker.ok_or_else(|| missing("--worker wN"))?,
            ended: watch::channel(false).1,
        })
    }

    /// Writes a call down; gives its name.
    fn record(&self, what: Call) -> Result<String, String> {
        let call = uuid::Uuid::now_v7().to_string();
        let called = Called { call: call.clone(), at: Timestamp::now(), what };
        match calls::append(&self.calls, &called) {
            Ok(()) => Ok(call),
            Err(error) => {
                complain(&format!("a call of {} is lost: {error}", self.worker));
                Err(format!("The orchestrator could not write this down: {error}. Try again once."))
            }
        }
    }

    /// A call that makes no sense is answered here, and told to the engine as an error event.
    fn refuse(&self, tool: &str, arguments: &Value, fault: &str) -> Answered {
        let event = AgentEvent::Error(AgentError {
            text: format!("a call of {tool} that cannot be read: {fault}"),
            raw: Some(domain::head(&agents::clean(&arguments.to_string()), 4_000)),
        });
        let text = match self.record(Call::Report { event }) {
            Ok(_) => format!("Refused: {fault}. Mend it and call the tool again."),
            Err(lost) => format!("Refused: {fault}. {lost}"),
        };
        Answered { text, error: true }
    }

    async fn call(&self, request: CallToolRequestParams, over: impl Future<Output = ()>) -> Answered {
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        let (call, waits) = match tools::read(&request.name, &arguments) {
            Ok(Read::Noted(call)) => (call, false),
            Ok(Read::Waits(call)) => (call, true),
            Err(fault) => return self.refuse(&request.name, &arguments, &fault),
        };
        match self.record(call) {
            Err(lost) => Answered { text: lost, error: true },
            Ok(_) if !waits => Answered { text: "noted".to_owned(), error: false },
            Ok(call) => self.answered(&call, over).await,
        }
    }

    /// Waits as long as it takes: a person may be asleep.
    async fn answered(&self, call: &str, over: impl Future<Output = ()>) -> Answered {
        let mut ended = self.ended.clone();
        let answer = async {
            loop {
                if let Some(answer) = calls::answer(&self.answers, call) {
                    return answer;
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        let gone = || Answered { text: "The call was given up.".to_owned(), error: true };
        tokio::select! {
            answer = answer => answer,
            () = over => gone(),
            _ = ended.wait_for(|over| *over) => gone(),
        }
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new(NAME, env!("CARGO_PKG_VERSION")))
            .with_instructions(tools::INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let client = context.peer.peer_info().map(|info| info.client_info.name.clone()).unwrap_or_default();
        Ok(ListToolsResult::with_all_items(tools::all(&client)))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Answered { text, error } = self.call(request, context.ct.cancelled()).await;
        let content = vec![ContentBlock::text(text)];
        // A tool's error reaches the model, a protocol error would not.
        Ok(if error { CallToolResult::error(content) } else { CallToolResult::success(content) }.into())
    }
}
