//! Authentication, authorization and rate limits of requests.

use super::api_keys::ApiKeys;
use super::caller::Caller;
use super::credential::Credential;
use super::refusal::Refusal;
use super::settings::{AuthSettings, Switch};
use super::tokens::Tokens;
use super::watched_file::WatchedFile;
use crate::health::Health;
use crate::tasks::{self, Tasks};
use crate::traffic::{Client, Clients, Failures, Network, RateLimit, TrafficSettings};
use access::Role;
use anyhow::Context;
use axum::extract::Request;
use chrono::Utc;
use std::sync::Arc;
use std::time::Duration;
use tracing::{debug, info, warn};

/// Interval of removing idle callers. Each uses some hundred bytes in between.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(5);

/// Checks the callers of the servers of a service.
#[derive(Clone, Debug)]
pub struct Guard(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// None: no authentication.
    credentials: Option<Credentials>,
    /// None: no rate limit.
    rate_limit: Option<RateLimit>,
    clients: Clients,
}

/// The credentials that are accepted.
#[derive(Debug)]
struct Credentials {
    keys: Arc<WatchedFile<ApiKeys>>,
    tokens: Tokens,
    failures: Failures,
}

impl Guard {
    /// Reads the keys, and watches their files until shutdown.
    ///
    /// # Errors
    /// The settings are invalid, or a file cannot be read.
    pub fn open(
        settings: &AuthSettings,
        traffic: &TrafficSettings,
        health: &Health,
        tasks: &mut Tasks,
    ) -> anyhow::Result<Self> {
        let credentials = match settings.auth {
            Switch::On => Some(Credentials::open(settings, health, tasks).context("AUTH=on")?),
            Switch::Off => None,
        };
        let (rate_limit, clients) = (RateLimit::of(traffic), Clients::of(traffic));
        let inner = Arc::new(Inner { credentials, rate_limit, clients });
        let (limits, shutdown) = (inner.clone(), tasks.shutdown());
        tasks.spawn("rate limits", async move {
            tasks::repeat(CLEANUP_INTERVAL, shutdown, async || limits.remove_idle()).await;
        });
        Ok(Self(inner))
    }

    /// Whether there is neither authentication nor a rate limit.
    pub(super) fn is_idle(&self) -> bool {
        self.0.credentials.is_none() && self.0.rate_limit.is_none()
    }

    /// Determines the addresses of clients.
    pub(crate) fn clients(&self) -> &Clients {
        &self.0.clients
    }

    /// Checks a request, and adds its caller to its extensions. Without a role, any valid
    /// credential is accepted. `is_counted`: the request counts towards the rate limit.
    pub(super) fn check(
        &self,
        request: &mut Request,
        role: Option<Role>,
        is_counted: bool,
    ) -> Result<(), Refusal> {
        let Inner { credentials, rate_limit, clients } = &*self.0;
        let network = || clients.network_of(request);
        let caller = match credentials {
            Some(credentials) => credentials.identify(request, network)?,
            None => None,
        };
        if let Some(rate_limit) = rate_limit.as_ref().filter(|_| is_counted) {
            let client = caller.as_ref().map(|caller| Client::Caller(caller.id().clone()));
            let client = client.unwrap_or_else(|| Client::Network(network()));
            rate_limit.count(&client).map_err(Refusal::TooMany)?;
        }
        if credentials.is_some() {
            let caller = caller.ok_or(Refusal::Missing)?;
            if let Some(role) = role.filter(|role| !caller.may(*role)) {
                return Err(Refusal::Forbidden(role));
            }
            request.extensions_mut().insert(caller);
        }
        Ok(())
    }
}

impl Inner {
    /// Removes the counts of idle callers, which would accumulate.
    fn remove_idle(&self) {
        if let Some(rate_limit) = &self.rate_limit {
            rate_limit.remove_idle();
        }
        if let Some(credentials) = &self.credentials {
            credentials.failures.remove_idle();
        }
    }
}

impl Credentials {
    fn open(settings: &AuthSettings, health: &Health, tasks: &mut Tasks) -> anyhow::Result<Self> {
        let keys = Arc::new(WatchedFile::open(
            "API_KEYS_FILE",
            settings.api_keys_file.clone(),
            ApiKeys::parse,
            Some(ApiKeys::default()),
        )?);
        let tokens = Tokens::open(settings)?;
        if keys.get().any_valid() || tokens.any_accepted() {
            info!("authentication is required");
        } else {
            warn!(
                "all requests are refused until an API key exists: create one with `cargo stack keys \
                 create`, which writes {}",
                settings.api_keys_file.display()
            );
        }
        let reporter = health.optional("api-keys");
        tasks.spawn("API keys", keys.clone().watch(reporter, tasks.shutdown()));
        if let Some(file) = tokens.key_set().cloned() {
            tasks.spawn("JWKS", file.watch(health.optional("jwks"), tasks.shutdown()));
        }
        Ok(Self { keys, tokens, failures: Failures::default() })
    }

    /// The caller of a request; none without a credential.
    fn identify(
        &self,
        request: &Request,
        network: impl Fn() -> Network,
    ) -> Result<Option<Caller>, Refusal> {
        let credential = Credential::of(request.headers())
            .map_err(|refusal| self.count_failure(refusal, network()))?;
        let identified = match credential {
            None => return Ok(None),
            Some(Credential::Key(key)) => self.keys.get().identify(key, Utc::now()),
            Some(Credential::Token(token)) => {
                let now = jsonwebtoken::get_current_timestamp();
                match self.tokens.cached(token, now) {
                    Some(caller) => Ok(caller),
                    // Guessing tokens must not use much processor time.
                    None => {
                        self.failures.check(&network()).map_err(Refusal::TooManyBad)?;
                        self.tokens.verify(token, now)
                    }
                }
            }
        };
        identified.map(Some).map_err(|reason| self.count_failure(Refusal::Bad(reason), network()))
    }

    /// Counts a bad credential; the refusal of it, or of too many bad ones.
    fn count_failure(&self, refusal: Refusal, network: Network) -> Refusal {
        debug!("invalid credential from {network}: {refusal:?}");
        self.failures.count(network).map_or_else(Refusal::TooManyBad, |()| refusal)
    }
}
