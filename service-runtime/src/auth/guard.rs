//! Lets requests in, or does not.

use super::api_keys::ApiKeys;
use super::caller::Caller;
use super::presented::Presented;
use super::refusal::Refusal;
use super::settings::{AuthSettings, Switch};
use super::tokens::Tokens;
use super::watched::Watched;
use crate::health::{Health, Need};
use crate::tasks::Tasks;
use crate::traffic::{self, Clients, Failures, Network, RateLimit};
use access::Role;
use anyhow::Context;
use axum::extract::Request;
use chrono::Utc;
use std::sync::Arc;
use tracing::{debug, info, warn};

/// Who may call the servers of a service, and how often.
#[derive(Clone, Debug)]
pub struct Guard(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// None: anybody may call.
    credentials: Option<Credentials>,
    /// None: as often as they like.
    rate_limit: Option<RateLimit>,
    clients: Clients,
}

/// By which callers are known.
#[derive(Debug)]
struct Credentials {
    keys: Arc<Watched<ApiKeys>>,
    tokens: Tokens,
    failures: Failures,
}

/// What a request must have to pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pass {
    /// None: any valid credential will do.
    pub role: Option<Role>,
    /// Whether it counts for the rate limit.
    pub counted: bool,
}

impl Guard {
    /// Reads keys, and has files of them looked at until the service ends.
    ///
    /// # Errors
    /// If what is set makes no sense, or is of no use.
    pub fn open(
        settings: &AuthSettings,
        traffic: &traffic::TrafficSettings,
        health: &Health,
        tasks: &mut Tasks,
    ) -> anyhow::Result<Self> {
        let credentials = match settings.auth {
            Switch::On => Some(Credentials::open(settings, health, tasks).context("AUTH=on")?),
            Switch::Off => None,
        };
        let (rate_limit, clients) = (RateLimit::of(traffic), Clients::of(traffic));
        let inner = Arc::new(Inner { credentials, rate_limit, clients });
        let (tended, shutdown) = (inner.clone(), tasks.shutdown());
        tasks.spawn("rate limits", async move {
            traffic::tend(shutdown, || tended.forget_the_idle()).await;
            Ok(())
        });
        Ok(Self(inner))
    }

    /// Whether it has nothing to do.
    pub(super) fn is_idle(&self) -> bool {
        self.0.credentials.is_none() && self.0.rate_limit.is_none()
    }

    /// Where requests come from.
    pub(crate) fn clients(&self) -> &Clients {
        &self.0.clients
    }

    /// Whether a request may pass. Its caller is among its extensions then.
    pub(super) fn check(&self, request: &mut Request, pass: Pass) -> Result<(), Refusal> {
        let Inner { credentials, rate_limit, clients } = &*self.0;
        let network = || clients.network_of(request);
        let caller = match credentials {
            Some(credentials) => credentials.identify(request, network)?,
            None => None,
        };
        if let Some(rate_limit) = rate_limit.as_ref().filter(|_| pass.counted) {
            match &caller {
                Some(caller) => rate_limit.count_caller(caller.id()),
                None => rate_limit.count_network(network()),
            }
            .map_err(Refusal::TooMany)?;
        }
        if credentials.is_some() {
            let caller = caller.ok_or(Refusal::Missing)?;
            if let Some(role) = pass.role.filter(|role| !caller.may(*role)) {
                return Err(Refusal::Forbidden(role));
            }
            request.extensions_mut().insert(caller);
        }
        Ok(())
    }
}

impl Inner {
    /// So that memory does not grow with everybody who ever called.
    fn forget_the_idle(&self) {
        if let Some(rate_limit) = &self.rate_limit {
            rate_limit.forget_the_idle();
        }
        if let Some(credentials) = &self.credentials {
            credentials.failures.forget_the_idle();
        }
    }
}

impl Credentials {
    fn open(settings: &AuthSettings, health: &Health, tasks: &mut Tasks) -> anyhow::Result<Self> {
        let keys = Arc::new(Watched::open(
            "API_KEYS_FILE",
            settings.api_keys_file.clone(),
            ApiKeys::parse,
            Some(ApiKeys::default()),
        )?);
        let tokens = Tokens::open(settings)?;
        if keys.get().any_valid() || tokens.any_accepted() {
            info!("every call needs a credential");
        } else {
            warn!(
                "every call is refused until there is an API key: make one by `cargo stack keys \
                 create`, which writes {}",
                settings.api_keys_file.display()
            );
        }
        let reporter = health.part("api-keys", Need::Useful);
        let (file, shutdown) = (keys.clone(), tasks.shutdown());
        tasks.spawn("API keys", async move {
            file.watch(reporter, shutdown).await;
            Ok(())
        });
        if let Some(file) = tokens.key_set().cloned() {
            let (reporter, shutdown) = (health.part("jwks", Need::Useful), tasks.shutdown());
            tasks.spawn("JWKS", async move {
                file.watch(reporter, shutdown).await;
                Ok(())
            });
        }
        Ok(Self { keys, tokens, failures: Failures::default() })
    }

    /// Who has sent a request; none if it has no credential.
    fn identify(
        &self,
        request: &Request,
        network: impl Fn() -> Network,
    ) -> Result<Option<Caller>, Refusal> {
        let presented = Presented::of(request.headers());
        let Some(presented) = presented.map_err(|refusal| self.counted(refusal, network()))? else {
            return Ok(None);
        };
        let identified = match presented {
            Presented::Key(key) => self.keys.get().identify(key, Utc::now()),
            Presented::Token(token) => {
                let now = jsonwebtoken::get_current_timestamp();
                match self.tokens.known(token, now) {
                    Some(caller) => Ok(caller),
                    // Those who only guess are not to keep processors busy.
                    None => {
                        self.failures.check(&network()).map_err(Refusal::TooManyBad)?;
                        self.tokens.verify(token, now)
                    }
                }
            }
        };
        identified.map(Some).map_err(|why| self.counted(Refusal::Bad(why), network()))
    }

    /// The refusal of a bad credential, or that of too many.
    fn counted(&self, refusal: Refusal, network: Network) -> Refusal {
        debug!("a bad credential from {network}: {refusal:?}");
        self.failures.count(network).map_or_else(Refusal::TooManyBad, |()| refusal)
    }
}
