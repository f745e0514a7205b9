//! A service does not start with an invalid setting. Its message names the setting and
//! contains no secret.

/// `cargo stack test` starts no servers for modules of this name.
mod without_servers {
    use crate::harness::{Keys, Service, free_port, program, settings};
    use std::fs;
    use std::process::Command;

    #[test]
    fn flags_and_variables_are_unique() {
        for service in ["command-service", "consumer-service", "query-service"] {
            settings(service).debug_assert();
        }
    }

    #[test]
    fn an_invalid_credential_setting_is_named() {
        let store = Keys::empty();
        fs::write(store.path(), "{}").unwrap();
        let absent = store.folder().join("absent").to_str().unwrap().to_owned();
        let secret = "x".repeat(32);
        let cases: [(&str, &[(&str, &str)]); 6] = [
            ("not a file of API keys", &[("API_KEYS_FILE", &store.setting())]),
            ("JWT_SECRET must be random and have at least 32 bytes", &[("JWT_SECRET", "x")]),
            ("cannot read JWT_SECRET_FILE", &[("JWT_SECRET_FILE", &absent)]),
            ("JWT_JWKS_FILE", &[("JWT_JWKS_FILE", &absent)]),
            (
                "JWT_SECRET or JWT_SECRET_FILE, not both",
                &[("JWT_SECRET", &secret), ("JWT_SECRET_FILE", &absent)],
            ),
            ("neither an address nor a network", &[("TRUSTED_PROXIES", "everybody")]),
        ];
        for (message, settings) in cases {
            let output = Command::new(program("query-service"))
                .env("QUERY_SERVICE_PORT", free_port().to_string())
                .env("QUERY_OPERATIONS_PORT", free_port().to_string())
                .envs([("AUTH", "on"), ("API_KEYS_FILE", &absent)])
                .envs(settings.iter().copied())
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success() && text.contains(message), "{message}: {text}");
            assert!(!text.contains(&secret), "{text}");
        }
    }

    #[test]
    fn a_number_out_of_range_is_named_with_its_range() {
        let cases = [
            ("command-service", "COMMAND_SERVICE_PORT", "0 to 65535"),
            ("command-service", "COMMAND_OPERATIONS_PORT", "0 to 65535"),
            ("command-service", "COMMAND_DATABASE_CONNECTIONS", "1 to 1000"),
            ("command-service", "COMMAND_SERVICE_THREADS", "1 to 1024"),
            ("command-service", "OUTBOX_LIMIT", "1 to 100000000"),
            ("command-service", "RATE_LIMIT", "0 to 1000000"),
            ("command-service", "RATE_LIMIT_BURST", "0 to 1000000"),
            ("command-service", "CONNECTIONS_PER_ADDRESS", "1 to 1000000"),
            ("consumer-service", "CONSUMER_OPERATIONS_PORT", "0 to 65535"),
            ("consumer-service", "CONSUMER_BATCH", "1 to 30000"),
            ("consumer-service", "CONSUMER_DATABASE_CONNECTIONS", "1 to 1000"),
            ("consumer-service", "DEDUPE_MEMORY_HOURS", "0 to 87600"),
            ("query-service", "QUERY_SERVICE_PORT", "0 to 65535"),
            ("query-service", "QUERY_OPERATIONS_PORT", "0 to 65535"),
            ("query-service", "QUERY_DATABASE_CONNECTIONS", "2 to 1000"),
        ];
        for (service, setting, range) in cases {
            let (from, to) = range.split_once(" to ").unwrap();
            let below = (from.parse::<i64>().unwrap() - 1).to_string();
            let above = (to.parse::<i64>().unwrap() + 1).to_string();
            for value in [below.as_str(), &above, "4294967295", "many", "1.5"] {
                let output = Command::new(program(service)).env(setting, value).output().unwrap();
                let text = String::from_utf8_lossy(&output.stderr);
                assert!(!output.status.success(), "{setting}={value}");
                let message = format!("must be a whole number from {range}");
                assert!(text.contains(setting) && text.contains(&message), "{setting}: {text}");
            }
        }
    }

    #[tokio::test]
    async fn an_invalid_setting_is_named_without_secrets() {
        for (setting, value, message) in [
            ("DATABASE_URL", "postgres://ada:s3cret@localhost:port/x", "--database-url"),
            ("DATABASE_URL", "postgres://ada:s3cret@localhost", "has no database name"),
            ("DATABASE_URL", "postgres://ada:s3cret#@localhost/x", "%23"),
            ("DATABASE_URL", "jdbc:postgresql://localhost/x?password=s3cret", "jdbc:"),
            ("DATABASE_URL", "postgres://ada:s3cret@localhost/x?sslmode=s3cret", "sslmode"),
            ("BROKER_URL", "amqp://ada:s3cret#@localhost", "%23"),
            ("BROKER_URL", "http://ada:s3cret@localhost", "--broker-url"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://ada:s3cret@localhost:4318", "http://"),
            ("OTEL_TRACES_SAMPLER_ARG", "many", "OTEL_TRACES_SAMPLER_ARG"),
            ("OTEL_TRACES_SAMPLER_ARG", "1.5", "from 0 to 1"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "4294967295", "from 1 to 1000000"),
        ] {
            let mut settings = vec![
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318".to_owned()),
                ("OTEL_TRACES_SAMPLER", "traceidratio".to_owned()),
            ];
            settings.push((setting, value.to_owned()));
            let mut service = Service::start("command-service", settings, None);
            assert!(!service.wait_for_exit().await.success());
            let log = service.log();
            assert!(log.contains(message) && !log.contains("s3cret"), "{setting}: {log}");
        }
    }
}
