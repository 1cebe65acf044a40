//! A scripted model server: what the three vendors' CLIs take for their model, without any model.
//!
//! It speaks Anthropic Messages, OpenAI Responses and Gemini `generateContent`, on loopback only, and answers from
//! scenarios. A scenario is picked by the URL (`http://127.0.0.1:PORT/s/<scenario>/…`), so sessions that run at the
//! same time never eat each other's turns. Within it the *conversation* is picked by the assignment header that starts
//! every prompt of the product, and the turn by counting the model's turns since that header: the server keeps no
//! conversation state, so retries, resumed CLI sessions and parallel workers of one vendor need no care.
//!
//! The format of a scenario file is [`Scenario`]; every request is kept as a [`Record`] for tests to look at.

mod anthropic;
mod asked;
mod assignment;
mod gemini;
mod openai;
mod reply;
mod scenario;
mod script;
mod server;
mod step;
mod stream;
mod vars;

pub use asked::{Api, Tool, ToolResult};
pub use assignment::Assignment;
pub use scenario::{Conversation, Fault, HttpFault, Scenario, ScenarioError, Step, Turn, Usage, When};
pub use server::{Endpoint, ModelServer, Record, ServerError};
