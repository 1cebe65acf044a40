//! The server itself: HTTP on loopback, the scenarios, the log of requests.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::asked::{Api, Asked, Tool, ToolResult};
use super::reply::Reply;
use super::scenario::{Scenario, ScenarioError};
use super::script::{self, Counters};
use super::stream::Events;
use super::{anthropic, gemini, openai};

/// One request, as it is kept for tests. No header and no key is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// From 1, over all scenarios.
    pub seq: u64,
    /// Of the URL.
    pub scenario: String,
    /// `POST`, …
    pub method: String,
    /// Path and query after the scenario's prefix.
    pub path: String,
    /// What it asks.
    pub endpoint: Endpoint,
    /// Whether it carried the dummy key, another one, or none.
    pub key: String,
    /// Who answered; empty for requests that ask no model.
    pub served: String,
    /// The model asked for.
    pub model: String,
    /// Fields of the assignment header.
    pub assignment: BTreeMap<String, String>,
    /// Turns of the model since the assignment.
    pub turn: usize,
    /// Tools that the model was offered.
    pub tools: Vec<Tool>,
    /// The prompt that started the conversation.
    pub prompt: String,
    /// What the tools called last came to.
    pub results: Vec<ToolResult>,
    /// The schema that the answer has to fit.
    pub schema: Option<Value>,
    /// The folder that the CLI says it works in.
    pub folder: Option<String>,
}

/// What a request asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// A model, for work.
    Model(Api),
    /// A model, for a title, a route, a probe: no tools are offered.
    Side(Api),
    /// Anything else that a CLI asks for (tokens counted, models listed, a greeting).
    Other,
}

/// Why the server cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// No socket, no thread, or a path that cannot be read.
    #[error("the model server cannot start: {0}")]
    Io(#[from] io::Error),
    /// A scenario that is none.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
}

struct Played {
    scenario: Scenario,
    counters: Counters,
}

#[derive(Default)]
struct World {
    played: BTreeMap<String, Played>,
    records: Vec<Record>,
}

#[derive(Default)]
struct Shared {
    world: Mutex<World>,
    /// Where whole request bodies go, for a person who looks for a fault.
    bodies: Option<PathBuf>,
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running server; dropping it ends it.
pub struct ModelServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl ModelServer {
    /// Starts on a free port of the loopback interface.
    ///
    /// # Errors
    /// [`ServerError::Io`].
    pub fn start() -> Result<Self, ServerError> {
        Self::start_on(0, None)
    }

    /// Starts on a port (0: a free one), and keeps whole request bodies in a folder where one is given.
    ///
    /// # Errors
    /// [`ServerError::Io`].
    pub fn start_on(port: u16, bodies: Option<PathBuf>) -> Result<Self, ServerError> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        if let Some(folder) = &bodies {
            std::fs::create_dir_all(folder)?;
        }
        let shared = Arc::new(Shared { bodies, ..Shared::default() });
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let held = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("model-server".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, held) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { shared, address, stop: Some(stop), thread: Some(thread) })
    }

    /// Plays a scenario under a name; one that was there is replaced, its counters begin anew.
    pub fn play(&self, name: &str, scenario: Scenario) {
        self.shared
            .world()
            .played
            .insert(name.to_owned(), Played { scenario, counters: Counters::default() });
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Base URL of a scenario: what a CLI takes for its vendor's.
    #[must_use]
    pub fn url(&self, scenario: &str) -> String {
        format!("http://{}/s/{scenario}", self.address)
    }

    /// What was asked so far under a scenario, in order.
    #[must_use]
    pub fn requests(&self, scenario: &str) -> Vec<Record> {
        self.shared.world().records.iter().filter(|it| it.scenario == scenario).cloned().collect()
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in there has been printed already.
            drop(thread.join());
        }
    }
}

async fn accept(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors: others have to close theirs first.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(request, Arc::clone(&shared)));
            let connection = hyper::server::conn::http1::Builder::new();
            // An error here is a client that went away, or a cut that the scenario asked for.
            drop(connection.serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

type Answer = Response<Either<Full<Bytes>, Events>>;

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> io::Result<Answer> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    if head.headers.contains_key("content-encoding") {
        return json_answer(415, &BTreeMap::new(), &json!({"error": {"message": "send it uncompressed"}}));
    }
    let full = head.uri.path_and_query().map_or("/", |it| it.as_str());
    if let Some(what) = full.strip_prefix("/__admin/") {
        return admin(&head.method, what, &body, &shared);
    }
    let Some((name, path)) =
        full.strip_prefix("/s/").map(|rest| rest.split_at(rest.find('/').unwrap_or(rest.len())))
    else {
        return json_answer(404, &BTreeMap::new(), &json!({"error": {"message": "no scenario in the path"}}));
    };
    let value: Value = serde_json::from_slice(&body).unwrap_or_default();
    let asked = read(&head.method, path, &value);
    let record = record(name, &head.method, path, key(&head.headers), asked.as_ref());
    let Some(asked) = asked else {
        keep(&shared, record, &value);
        return other(path, body.len());
    };
    let served = {
        let mut world = shared.world();
        let played = world.played.get_mut(name);
        played.map(|it| script::serve(&it.scenario, &mut it.counters, &asked))
    };
    let Some(served) = served else {
        keep(&shared, Record { served: "no such scenario".to_owned(), ..record }, &value);
        return json_answer(404, &BTreeMap::new(), &json!({"error": {"message": "no such scenario"}}));
    };
    keep(&shared, Record { served: served.label, ..record }, &value);
    let delay = served.said.turn.delay_ms;
    if 0 < delay {
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    match served.said.reply(&asked) {
        Reply::Refused => Err(io::Error::other("refused by the scenario")),
        Reply::Json { status, headers, body } => json_answer(status, &headers, &body),
        Reply::Events { headers, events, turn } => {
            let body = Either::Right(Events::new(events, *turn));
            with_headers(200, "text/event-stream; charset=utf-8", &headers, body)
        }
    }
}

/// Requests that ask a model; `None` for all others.
fn read(method: &Method, path: &str, body: &Value) -> Option<Asked> {
    let bare = path.split('?').next().unwrap_or_default();
    if method != Method::POST {
        return None;
    }
    if bare.ends_with("/messages") {
        return Some(anthropic::read(body));
    }
    if bare.ends_with("/responses") {
        return Some(openai::read(body));
    }
    let (model, verb) = bare.split_once("/models/")?.1.split_once(':')?;
    match verb {
        "generateContent" => Some(gemini::read(body, model, false)),
        "streamGenerateContent" => Some(gemini::read(body, model, true)),
        _ => None,
    }
}

/// What CLIs ask besides: tokens counted, models listed, a greeting.
fn other(path: &str, size: usize) -> io::Result<Answer> {
    let bare = path.split('?').next().unwrap_or_default();
    // Four bytes a token is near enough.
    let tokens = (size / 4).max(1);
    let (status, body) = match bare {
        "" | "/" | "/api/hello" => (200, json!({"ok": true})),
        _ if bare.ends_with("/count_tokens") => (200, json!({"input_tokens": tokens})),
        _ if bare.ends_with(":countTokens") => (200, json!({"totalTokens": tokens})),
        _ if bare.ends_with("/models") => {
            (200, json!({"object": "list", "data": [], "models": [], "has_more": false}))
        }
        _ => (404, json!({"type": "error", "error": {"type": "not_found_error", "message": "no such path"}})),
    };
    json_answer(status, &BTreeMap::new(), &body)
}

fn admin(method: &Method, what: &str, body: &[u8], shared: &Shared) -> io::Result<Answer> {
    let none = BTreeMap::new();
    if let ("requests", &Method::GET) = (what, method) {
        let records = shared.world().records.clone();
        return json_answer(200, &none, &serde_json::to_value(records).unwrap_or_default());
    }
    if let (Some(name), &Method::POST) = (what.strip_prefix("scenario/"), method) {
        return match serde_json::from_slice(body) {
            Ok(scenario) => {
                let played = Played { scenario, counters: Counters::default() };
                shared.world().played.insert(name.to_owned(), played);
                json_answer(200, &none, &json!({"ok": true}))
            }
            Err(fault) => json_answer(400, &none, &json!({"error": {"message": fault.to_string()}})),
        };
    }
    json_answer(404, &none, &json!({"error": {"message": "GET requests, POST scenario/NAME"}}))
}

fn keep(shared: &Shared, mut record: Record, body: &Value) {
    let mut world = shared.world();
    record.seq = world.records.len() as u64 + 1;
    if let Some(folder) = &shared.bodies {
        let text = serde_json::to_vec_pretty(body).unwrap_or_default();
        // Only for a person's eyes: a full disk must not change what is served.
        drop(std::fs::write(folder.join(format!("{:04}.json", record.seq)), text));
    }
    world.records.push(record);
}

fn record(scenario: &str, method: &Method, path: &str, key: &str, asked: Option<&Asked>) -> Record {
    let prompt = asked.map(Asked::prompt).unwrap_or_default();
    let endpoint = asked.map_or(Endpoint::Other, |it| {
        if it.is_side() { Endpoint::Side(it.api) } else { Endpoint::Model(it.api) }
    });
    Record {
        seq: 0,
        scenario: scenario.to_owned(),
        method: method.to_string(),
        path: path.to_owned(),
        endpoint,
        key: key.to_owned(),
        served: String::new(),
        model: asked.map(|it| it.model.clone()).unwrap_or_default(),
        assignment: asked.and_then(Asked::assignment).unwrap_or_default().0,
        turn: asked.map_or(0, Asked::turn),
        tools: asked.map(|it| it.tools.clone()).unwrap_or_default(),
        prompt: prompt.to_owned(),
        results: asked.map(|it| it.results().into_iter().cloned().collect()).unwrap_or_default(),
        schema: asked.and_then(|it| it.schema.clone()),
        folder: asked.and_then(Asked::folder),
    }
}

/// Says of a key only whether it is the tests' own.
fn key(headers: &HeaderMap) -> &'static str {
    let names = ["authorization", "x-api-key", "x-goog-api-key"];
    match names.iter().find_map(|name| headers.get(*name)) {
        None => "none",
        Some(value) if value.to_str().is_ok_and(|it| it.contains("dummy")) => "dummy",
        Some(_) => "other",
    }
}

fn json_answer(status: u16, headers: &BTreeMap<String, String>, body: &Value) -> io::Result<Answer> {
    let body = Full::new(Bytes::from(body.to_string()));
    with_headers(status, "application/json", headers, Either::Left(body))
}

fn with_headers(
    status: u16,
    kind: &'static str,
    headers: &BTreeMap<String, String>,
    body: Either<Full<Bytes>, Events>,
) -> io::Result<Answer> {
    let mut answer = Response::new(body);
    *answer.status_mut() = StatusCode::from_u16(status).map_err(io::Error::other)?;
    answer.headers_mut().insert("content-type", HeaderValue::from_static(kind));
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(io::Error::other)?;
        answer.headers_mut().insert(name, HeaderValue::from_str(value).map_err(io::Error::other)?);
    }
    Ok(answer)
}

/// One line, for a person who looks on.
impl std::fmt::Display for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:>4} {} {} {} {}", self.seq, self.scenario, self.method, self.path, self.served)
    }
}
