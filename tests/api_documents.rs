//! Each service serves its checked-in OpenAPI document, which lists exactly the methods of
//! each path, and a page that shows it.

use crate::harness::{Response, Shop, client};
use reqwest::Method;
use std::collections::BTreeSet;
use system_tests::openapi::{Port, example_path, operations, properties, resolve};

async fn send(shop: &Shop, api: Port, method: Method, path: &str) -> Response {
    let service = if api == Port::Command { &shop.command } else { &shop.query };
    let url = format!("http://{}{path}", service.address("api").await);
    Response::to(client().request(method, url)).await.unwrap()
}

#[tokio::test]
async fn services_serve_the_checked_in_documents_with_exactly_their_methods() {
    let shop = Shop::start().await;
    for api in Port::APIS {
        let document = api.document();
        let served = send(&shop, api, Method::GET, "/openapi.json").await;
        assert_eq!(
            (served.status, &served.headers["content-type"]),
            (200, &"application/json".parse().unwrap())
        );
        assert!(served.body == document, "{api:?}: openapi.json is not what is served");
        for (pattern, operations) in properties(&document["paths"]) {
            let mut methods: BTreeSet<String> =
                properties(operations).map(|(method, _)| method.to_uppercase()).collect();
            if methods.contains("GET") {
                methods.insert("HEAD".to_owned());
            }
            let operation = properties(operations).next().unwrap().1;
            let path = example_path(&document, pattern, operation);
            let refused = send(&shop, api, Method::TRACE, &path).await;
            assert_eq!((refused.status, refused.error()), (405, "Method not allowed"), "{pattern}");
            let allowed = refused.headers["allow"].to_str().unwrap().split(',').map(str::to_owned);
            assert_eq!(allowed.collect::<BTreeSet<_>>(), methods, "{api:?} {pattern}");
        }
    }
}

#[tokio::test]
async fn commands_accept_the_documented_examples_of_their_bodies() {
    let shop = Shop::start().await;
    let document = Port::Command.document();
    for (method, pattern, operation) in operations(&document) {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        let example = &resolve(&document, schema)["examples"][0];
        if schema.is_null() {
            continue;
        }
        let path = example_path(&document, pattern, operation);
        let url = format!("http://{}{path}", shop.command.address("api").await);
        let request = client().request(method.parse().unwrap(), url).json(example);
        let response = Response::to(request).await.unwrap();
        // The product, order or user of the example need not exist.
        let is_read = response.status < 300 || response.error().ends_with("not found");
        assert!(is_read, "{method} {pattern}: {}", response.text);
    }
}

#[tokio::test]
async fn the_page_loads_only_files_of_the_service() {
    let shop = Shop::start().await;
    for api in Port::APIS {
        let page = send(&shop, api, Method::GET, "/docs").await;
        assert_eq!(page.status, 200);
        let quoted = |attribute: &str| {
            let parts = page.text.split(attribute).skip(1);
            parts.map(|part| part.split('"').next().unwrap()).collect::<Vec<_>>()
        };
        let addresses = [quoted("href=\""), quoted("src=\""), quoted("url: \"")].concat();
        assert_eq!(addresses.len(), 4, "{addresses:?}");
        for address in addresses {
            // Relative to the page, so that it also works behind the gateway.
            assert!(!address.starts_with('/') && !address.contains(':'), "{address}");
            assert_eq!(
                send(&shop, api, Method::GET, &format!("/{address}")).await.status,
                200,
                "{address}"
            );
        }
    }
}
