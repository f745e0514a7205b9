//! A service does not start with an unusable setting; it names the setting, and never a
//! secret.

/// `cargo stack test` starts no servers for modules of this name.
mod without_servers {
    use crate::harness::{Keys, Service, free_port, program};
    use std::fs;
    use std::process::Command;

    #[test]
    fn an_unusable_credential_setting_is_named() {
        let store = Keys::none();
        fs::write(store.path(), "{}").unwrap();
        let absent = store.folder().join("absent").to_str().unwrap().to_owned();
        let secret = "x".repeat(32);
        let cases: [(&str, &[(&str, &str)]); 6] = [
            ("not a file of API keys", &[("API_KEYS_FILE", &store.setting())]),
            ("JWT_SECRET must have at least 32 bytes", &[("JWT_SECRET", "x")]),
            ("cannot read JWT_SECRET_FILE", &[("JWT_SECRET_FILE", &absent)]),
            ("JWT_JWKS_FILE", &[("JWT_JWKS_FILE", &absent)]),
            (
                "JWT_SECRET or JWT_SECRET_FILE, not both",
                &[("JWT_SECRET", &secret), ("JWT_SECRET_FILE", &absent)],
            ),
            ("neither an address nor a network", &[("TRUSTED_PROXIES", "everybody")]),
        ];
        for (complaint, settings) in cases {
            let output = Command::new(program("query-service"))
                .env("QUERY_SERVICE_PORT", free_port().to_string())
                .env("QUERY_OPERATIONS_PORT", free_port().to_string())
                .envs([("AUTH", "on"), ("API_KEYS_FILE", &absent)])
                .envs(settings.iter().copied())
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success() && text.contains(complaint), "{complaint}: {text}");
            assert!(!text.contains(&secret), "{text}");
        }
    }

    #[tokio::test]
    async fn an_unusable_setting_is_named_without_its_secrets() {
        for (setting, value, told) in [
            ("DATABASE_URL", "postgres://ada:s3cret@localhost:port/x", "--database-url"),
            ("BROKER_URL", "http://ada:s3cret@localhost", "--broker-url"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://ada:s3cret@localhost:4318", "http://"),
            ("OTEL_TRACES_SAMPLER_ARG", "many", "OTEL_TRACES_SAMPLER_ARG"),
        ] {
            let mut settings = vec![
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318".to_owned()),
                ("OTEL_TRACES_SAMPLER", "traceidratio".to_owned()),
            ];
            settings.push((setting, value.to_owned()));
            let mut service = Service::start("command-service", settings, None);
            assert!(!service.ended().await.success());
            let log = service.log();
            assert!(log.contains(told) && !log.contains("s3cret"), "{setting}: {log}");
        }
    }
}
