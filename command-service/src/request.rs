//! A command's request, and how it is carried out.

use crate::answer::Answer;
use crate::command_kind::CommandKind;
use crate::idempotency::{self, Key};
use crate::metrics::{COMMANDS_ACCEPTED, COMMANDS_FAILED, COMMANDS_REFUSED};
use crate::router::Commands;
use crate::transactions::outcome_unknown;
use axum::extract::FromRequest;
use axum::http::HeaderValue;
use service_runtime::json_body::{JsonBody, Members};
use service_runtime::postgres::no_answer;
use service_runtime::problem::Problem;
use service_runtime::request_id;
use service_runtime::trace::{self, Description, Span, SpanKind};
use shared_events::Topic;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use trace_context::TraceParent;

/// A database that has not answered a command by then is taken for lost. Whoever
/// waits for a lock is refused long before.
const DEADLINE: Duration = Duration::from_secs(10);

/// The same of a command with a key, which may wait for its turn before, and looks for
/// its key.
const KEYED_DEADLINE: Duration = Duration::from_secs(14);

/// Commands with keys that are under way. More are told to come again.
static KEYED: Semaphore = Semaphore::const_new(1_024);

/// A command as it came.
#[derive(Debug)]
pub struct Request {
    body: JsonBody,
    origin: Origin,
}

/// Where a command came from: what goes with it beside its data.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The trace that it belongs to, with the command as the cause of what follows.
    pub trace: TraceParent,
    /// The id of the request, for the log.
    pub request_id: Option<HeaderValue>,
    /// Its key, if it may be sent again.
    pub key: Option<Key>,
}

impl FromRequest<Commands> for Request {
    type Rejection = Problem;

    async fn from_request(
        request: axum::extract::Request,
        commands: &Commands,
    ) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let trace = trace::current().unwrap_or_else(TraceParent::generate);
        let whole = axum::extract::Request::from_parts(parts.clone(), body);
        let body = JsonBody::from_request(whole, commands).await?;
        let key = Key::read(&parts, body.bytes())?;
        let origin = Origin { trace, request_id: request_id::current(), key };
        Ok(Self { body, origin })
    }
}

impl Request {
    /// The members of the body.
    ///
    /// # Errors
    /// 400 with the text `error` if the body is no JSON object.
    pub fn members(&self, error: &'static str) -> Result<Members, Problem> {
        self.body.members(error)
    }

    /// What goes with the command.
    pub fn origin(self) -> Origin {
        self.origin
    }

    /// Carries the command out, once if it has a key.
    ///
    /// # Errors
    /// Those of the command; 422 if its key was used with another body.
    pub async fn carry_out<F>(
        mut self,
        kind: CommandKind,
        commands: Commands,
        command: impl FnOnce(Commands, Self) -> F,
    ) -> Result<Answer, Problem>
    where
        F: Future<Output = Result<Answer, Problem>> + Send + 'static,
    {
        let describe = || Description::named(kind.into());
        let mut span = Span::start(self.origin.trace, SpanKind::Internal, describe);
        self.origin.trace = span.context().unwrap_or(self.origin.trace);
        let answer = self.once(kind.topic(), commands, command).await;
        if answer.as_ref().is_err_and(|problem| problem.status().is_server_error()) {
            span.fail("");
        }
        count(kind, &answer);
        answer
    }

    async fn once<F>(
        self,
        topic: Topic,
        commands: Commands,
        command: impl FnOnce(Commands, Self) -> F,
    ) -> Result<Answer, Problem>
    where
        F: Future<Output = Result<Answer, Problem>> + Send + 'static,
    {
        let Some(key) = self.origin.key.clone() else {
            commands.outbox_limiter.check(topic)?;
            return command(commands, self).await;
        };
        // It goes on when its client has left, and so outlives its place among requests.
        let place = KEYED.try_acquire().map_err(|_| {
            Problem::unavailable("Service busy").detail("Too many commands are under way.")
        })?;
        // A stored response needs no place in the outbox.
        let outbox_limiter = commands.outbox_limiter.clone();
        let command = command(commands.clone(), self);
        let carried_out = async move {
            outbox_limiter.check(topic)?;
            command.await
        };
        within(KEYED_DEADLINE, async move {
            let _place = place;
            idempotency::once(&commands.pool, &commands.in_flight, &key, carried_out).await
        })
        .await
    }
}

impl Commands {
    /// Runs a command's transaction in a task of its own, so that it goes on to its end
    /// when its client leaves, and wakes the publisher.
    ///
    /// A transaction dropped in mid-flight, between BEGIN and its answer, would
    /// return to the pool still open, and swallow whatever is written on that
    /// connection next (transact-rs/sqlx#4385). So it is dropped only when the database
    /// has not answered for so long that the connection is given up, too.
    ///
    /// # Errors
    /// Those of the command; 503 if nobody knows what became of it.
    pub async fn to_the_end(
        &self,
        command: impl Future<Output = Result<Answer, Problem>> + Send + 'static,
    ) -> Result<Answer, Problem> {
        let answer = within(DEADLINE, command).await?;
        self.committed.notify_one();
        Ok(answer)
    }
}

/// Counts a command by its result.
fn count(kind: CommandKind, answer: &Result<Answer, Problem>) {
    let counter = match answer {
        Ok(_) => &COMMANDS_ACCEPTED,
        Err(problem) if problem.status().is_client_error() => &COMMANDS_REFUSED,
        Err(_) => &COMMANDS_FAILED,
    };
    counter.add_to(kind, 1);
}

async fn within(
    deadline: Duration,
    command: impl Future<Output = Result<Answer, Problem>> + Send + 'static,
) -> Result<Answer, Problem> {
    let command = trace::spawn(timeout(deadline, command)).await;
    match command {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(outcome_unknown(&no_answer(deadline))),
        // Why was logged where it did.
        Err(_) => Err(Problem::internal(&"a command panicked")),
    }
}
