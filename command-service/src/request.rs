//! The request of a command, and its execution.

use crate::command_kind::CommandKind;
use crate::idempotency::{self, Key};
use crate::metrics::{
    COMMANDS_ACCEPTED, COMMANDS_FAILED, COMMANDS_REFUSED, ORDERS_REFUSED, OrderRefusal,
};
use crate::origin::Origin;
use crate::response::CommandResult;
use crate::state::AppState;
use crate::transactions::outcome_unknown;
use axum::extract::FromRequest;
use service_runtime::json_body::{Body, JsonBody};
use service_runtime::postgres::timeout_error;
use service_runtime::problem::Problem;
use service_runtime::trace::{self, Span, SpanBuilder};
use sqlx::PgPool;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use trace_context::TraceParent;

/// The deadline of a command's transaction. A longer silence means that the connection is
/// lost; lock timeouts are much shorter.
const DEADLINE: Duration = Duration::from_secs(10);

/// The deadline of a command with a key, which may also wait for another request with the
/// same key.
const KEYED_DEADLINE: Duration = Duration::from_secs(14);

/// Limits concurrent commands with keys.
static KEYED: Semaphore = Semaphore::const_new(1_024);

/// The request of a command.
#[derive(Debug)]
pub struct Request {
    state: AppState,
    body: JsonBody,
    origin: Origin,
}

impl FromRequest<AppState> for Request {
    type Rejection = Problem;

    async fn from_request(
        request: axum::extract::Request,
        state: &AppState,
    ) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let trace = trace::current().unwrap_or_else(TraceParent::generate);
        let whole = axum::extract::Request::from_parts(parts.clone(), body);
        let body = JsonBody::from_request(whole, state).await?;
        let key = Key::read(&parts, body.bytes())?;
        let origin = Origin { trace, request_id: trace::request_id(), key };
        Ok(Self { state: state.clone(), body, origin })
    }
}

impl Request {
    /// Parses the body and runs the command's transaction, at most once per idempotency key. Wakes
    /// the publisher.
    ///
    /// The transaction has a task of its own, so that it runs to its end if the client
    /// disconnects. Only the deadline cancels it, and then its connection is closed: if BEGIN is
    /// cancelled, the connection would return to the pool with an open transaction, and the next
    /// writes on it would be lost (transact-rs/sqlx#4385).
    ///
    /// # Errors
    /// 400 with the text `invalid` if the body is invalid; 422 if the key was used with
    /// another body; 503 if the outcome is unknown; those of the command.
    pub async fn transact<B, F>(
        self,
        kind: CommandKind,
        invalid: &'static str,
        command: impl FnOnce(PgPool, B, Origin) -> F + Send + 'static,
    ) -> CommandResult
    where
        B: Body + Send + 'static,
        F: Future<Output = CommandResult> + Send + 'static,
    {
        self.execute(kind, invalid, async move |state: AppState, body: B, origin| {
            let response = within(DEADLINE, command(state.pool, body, origin)).await?;
            state.committed.notify_one();
            Ok(response)
        })
        .await
    }

    /// Like [`Self::transact`], for a command that runs no transaction of its own, such as an order
    /// in a batch.
    ///
    /// # Errors
    /// Those of [`Self::transact`].
    pub async fn execute<B, F>(
        mut self,
        kind: CommandKind,
        invalid: &'static str,
        command: impl FnOnce(AppState, B, Origin) -> F + Send + 'static,
    ) -> CommandResult
    where
        B: Body + Send + 'static,
        F: Future<Output = CommandResult> + Send + 'static,
    {
        let describe = || SpanBuilder::from_name(<&str>::from(kind));
        let mut span = Span::start(self.origin.trace, describe);
        self.origin.trace = span.context().unwrap_or(self.origin.trace);
        let Self { state, body, origin } = self;
        let key = origin.key.clone();
        let run = {
            let state = state.clone();
            async move {
                state.outbox_limiter.check(kind.topic())?;
                let body = body.parse(invalid).inspect_err(|_| {
                    if kind == CommandKind::PlaceOrder {
                        ORDERS_REFUSED.of(OrderRefusal::Invalid).increment(1);
                    }
                })?;
                command(state, body, origin).await
            }
        };
        let response = match key {
            None => run.await,
            Some(key) => once(state, key, run).await,
        };
        if response.as_ref().is_err_and(|problem| problem.status().is_server_error()) {
            span.fail("");
        }
        count(kind, &response);
        response
    }
}

/// Runs a command at most once per key.
async fn once(
    state: AppState,
    key: Key,
    command: impl Future<Output = CommandResult> + Send + 'static,
) -> CommandResult {
    // The command continues after its client has disconnected, and then no longer counts
    // towards the limit of concurrent requests.
    let permit = KEYED.try_acquire().map_err(|_| {
        Problem::unavailable("Service busy").detail("Too many commands are in progress.")
    })?;
    within(KEYED_DEADLINE, async move {
        let _permit = permit;
        idempotency::once(&state.pool, &state.in_flight, &key, command).await
    })
    .await
}

/// Counts a command by its result.
fn count(kind: CommandKind, response: &CommandResult) {
    let counter = match response {
        Ok(_) => &COMMANDS_ACCEPTED,
        Err(problem) if problem.status().is_client_error() => &COMMANDS_REFUSED,
        Err(_) => &COMMANDS_FAILED,
    };
    counter.of(kind).increment(1);
}

async fn within(
    deadline: Duration,
    command: impl Future<Output = CommandResult> + Send + 'static,
) -> CommandResult {
    match trace::spawn(timeout(deadline, command)).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => Err(outcome_unknown(&timeout_error(deadline))),
        // The panic hook has logged the reason.
        Err(_) => Err(Problem::internal(&"a command panicked")),
    }
}
