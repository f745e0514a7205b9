//! The addresses of a shop for the Postman collection. There is no gateway.

use crate::harness::{Servers, Service, Shop};
use reqwest::Url;
use system_tests::postman::Request;

/// The addresses of a shop.
pub struct Addresses {
    /// The variables of Postman's environment.
    pub environment: Vec<(&'static str, String)>,
    vhost: String,
}

impl Addresses {
    pub async fn of(shop: &Shop) -> Self {
        let mut management: Url = Servers::of_environment().management.parse().unwrap();
        let (user, password) = (management.username().to_owned(), management.password());
        let password = password.unwrap().to_owned();
        management.set_username("").unwrap();
        management.set_password(None).unwrap();
        let environment = vec![
            ("commandUrl", url(&shop.command, "api").await),
            ("queryUrl", url(&shop.query, "api").await),
            ("commandOperationsUrl", url(&shop.command, "operations").await),
            ("queryOperationsUrl", url(&shop.query, "operations").await),
            ("consumerOperationsUrl", url(&shop.consumer, "operations").await),
            ("managementUrl", management.as_str().trim_end_matches('/').to_owned()),
            ("managementUser", user),
            ("managementPassword", password),
        ];
        Self { environment, vhost: shop.broker.name().to_owned() }
    }

    /// The URL of a request, with variables; none if the gateway itself responds to it.
    pub fn url(&self, request: &Request) -> Option<String> {
        let url = request.direct_url()?;
        // Tests share a broker; each shop has a virtual host.
        Some(match url.strip_prefix("{{managementUrl}}/api/") {
            Some("connections") => {
                format!("{{{{managementUrl}}}}/api/vhosts/{}/connections", self.vhost)
            }
            Some(_) => url.replace("%2F", &self.vhost),
            None => url,
        })
    }
}

async fn url(service: &Service, server: &str) -> String {
    format!("http://{}", service.address(server).await)
}
