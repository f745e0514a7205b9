//! The scripts of the Postman collection parse, and a response that is not as expected fails
//! its check. What the script engine does not support fails, too.

use std::time::{Duration, Instant};
use system_tests::postman::{Collection, Phase, Report, Sandbox, Script};

const RESPONSE: &str = r#"{
    "status": 200,
    "headers": [{"key": "content-type", "value": "application/json"}, {"key": "vary", "value": "a"}],
    "body": "{\"id\":1,\"price\":4.8,\"user\":{\"name\":\"Ada\"},\"tags\":[],\"at\":\"2026-01-31T12:00:00Z\"}"
}"#;

const PROBLEM: &str = r#"{
    "status": 400,
    "headers": [{"key": "content-type", "value": "application/problem+json"}],
    "body": "{\"error\":\"Invalid id\",\"type\":\"urn:problem:invalid-id\",\"title\":\"Invalid id\",\"status\":400,\"detail\":\"See errors.\",\"errors\":[{\"field\":\"id\",\"message\":\"is required\"}]}"
}"#;

async fn run(sandbox: &Sandbox, code: &str) -> Report {
    let script = Script { name: "script".into(), phase: Phase::Test, code: code.into() };
    sandbox.run(&script, "request-1", Some(RESPONSE)).await
}

async fn failures(code: &str) -> Vec<String> {
    run(&Sandbox::new(&[]), code).await.failures
}

/// The only failure.
async fn failure(code: &str) -> String {
    let [failure] = failures(code).await.try_into().unwrap_or_else(|all| panic!("{code}: {all:?}"));
    failure
}

/// The failures of a response that is checked by the scripts of the collection.
async fn check(expected: &str, response: &str) -> Report {
    let sandbox = Sandbox::new(&[]);
    run(&sandbox, "pm.collectionVariables.set('price', 4.8);").await;
    for script in Collection::read().scripts.iter().filter(|script| script.phase == Phase::Test) {
        sandbox.run(script, "request-1", Some(response)).await;
    }
    let code = format!("checks.run(pm, {expected});");
    let script = Script { name: "script".into(), phase: Phase::Test, code };
    sandbox.run(&script, "request-1", Some(response)).await
}

#[test]
fn all_scripts_parse() {
    let (collection, sandbox) = (Collection::read(), Sandbox::new(&[]));
    let of_requests = collection.requests.iter().flat_map(|request| &request.scripts);
    let scripts = collection.scripts.iter().chain(of_requests);
    let failures: Vec<_> = scripts.filter_map(|script| sandbox.parse(script).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_syntax_error_names_script_and_line() {
    let (name, code) = ("Create a user, test".to_owned(), "const a = 1;\nconst b = ;".to_owned());
    let failure = Sandbox::new(&[]).parse(&Script { name, phase: Phase::Test, code }).unwrap_err();
    assert!(failure.starts_with("SyntaxError: "), "{failure}");
    assert!(failure.contains("Create a user, test:2"), "{failure}");
}

#[tokio::test]
async fn an_expected_response_passes() {
    for (expected, response) in [
        ("{}", RESPONSE),
        ("{body: {id: 1, price: 4.8}}", RESPONSE),
        ("{body: {price: '{{price}}', 'user.name': 'Ada'}}", RESPONSE),
        ("{body: {user: {name: '<text>'}, at: '<time>', id: '<id>', tags: []}}", RESPONSE),
        ("{headers: {Vary: 'a', 'X-Stale': null}, contains: ['\"id\":1']}", RESPONSE),
        ("{save: {id: 'id'}, body: {id: '{{id}}'}}", RESPONSE),
        ("{checks: {'it is cheap': ({ body }) => body.price < 5}}", RESPONSE),
        ("{eventually: true, body: {id: 1}}", RESPONSE),
        ("{refused: '400 Invalid id', fields: ['id']}", PROBLEM),
    ] {
        let report = check(expected, response).await;
        assert!(report.failures.is_empty(), "{expected}: {:?}", report.failures);
        assert!(report.tests > 0 && report.next.is_none(), "{expected}");
    }
}

#[tokio::test]
async fn an_unexpected_response_fails() {
    for (expected, response, message) in [
        ("{status: 201}", RESPONSE, "status: 200 instead of 201"),
        ("{type: 'text/plain'}", RESPONSE, "Content-Type: application/json"),
        ("{changed: true}", RESPONSE, "X-Event-Id: undefined"),
        ("{created: '/api/users/1'}", RESPONSE, "Location: undefined"),
        ("{body: {id: '1'}}", RESPONSE, "id: 1 instead of \"1\""),
        ("{body: {missing: null}}", RESPONSE, "missing: undefined instead of null"),
        ("{body: {user: {name: 'Eva'}}}", RESPONSE, "user.name: \"Ada\" instead of \"Eva\""),
        ("{body: {tags: [1]}}", RESPONSE, "tags: [] instead of 1 items"),
        ("{body: {tags: '<list>'}}", RESPONSE, "tags: [] instead of \"<list>\""),
        ("{body: {id: '<time>'}}", RESPONSE, "id: 1 instead of \"<time>\""),
        ("{body: {id: '{{missing}}'}}", RESPONSE, "no variable missing"),
        ("{body: []}", RESPONSE, "instead of 0 items"),
        ("{ids: [1]}", RESPONSE, "instead of 1 items"),
        ("{headers: {Vary: null}}", RESPONSE, "Vary: a"),
        ("{contains: ['4.9']}", RESPONSE, "contains 4.9"),
        ("{checks: {'it is free': ({ body }) => body.price === 0}}", RESPONSE, "it is free"),
        ("{refused: '400 Invalid id', fields: ['id']}", RESPONSE, "status: 200 instead of 400"),
        ("{refused: '400 Invalid name', fields: ['id']}", PROBLEM, "error: \"Invalid id\""),
        ("{refused: '400 Invalid id'}", PROBLEM, "errors"),
        ("{refused: '400 Invalid id', fields: ['name']}", PROBLEM, "errors"),
        ("{}", PROBLEM, "status: 400 instead of 200"),
    ] {
        let failures = check(expected, response).await.failures;
        let is_found = failures.iter().any(|failure| failure.contains(message));
        assert!(is_found, "{expected}: {failures:?}");
    }
}

#[tokio::test]
async fn a_request_is_repeated_until_the_response_is_as_expected() {
    let report = check("{eventually: true, body: {id: 2}}", RESPONSE).await;
    assert_eq!((report.tests, report.next.as_deref()), (0, Some("request-1")));
}

#[tokio::test]
async fn unsupported_calls_fail() {
    for code in [
        "pm.expect(1).to.equal(1)",
        "pm.response.json()",
        "pm.response.headers.each(() => {})",
        "pm.sendRequest('http://127.0.0.1')",
        "pm.environment.get('a')",
        "pm.info.requestName",
        "pm.variables.has('a')",
        "pm.collectionVariables.set('a', undefined)",
        "pm.collectionVariables.set('a', [1])",
        "pm.execution.setNextRequest(null)",
        "pm.test('a test', (done) => done())",
        "pm.test('a test', async () => {})",
        "pm.test('a test', async () => { throw new Error() })",
        "(async () => { throw new Error() })()",
        "(async () => { await 1 })()",
        "Promise.resolve(1).then(() => {})",
        "setTimeout(() => {})",
    ] {
        let failures = failures(code).await;
        let is_unsupported = failures.iter().any(|failure| failure.contains("not supported: "));
        assert!(is_unsupported, "{code}: {failures:?}");
    }
    for missing in ["console.log(1)", "require('chai')", "postman", "pm.test.skip('a test')"] {
        assert!(!failures(missing).await.is_empty(), "{missing}");
    }
}

#[tokio::test]
async fn an_exception_names_script_and_line() {
    let failed = failure("\n\nmissing();").await;
    assert!(failed.starts_with("ReferenceError: missing is not defined at "), "{failed}");
    assert!(failed.contains("script:3"), "{failed}");
    let failed = failure("pm.test('a test', () => {\n  missing.property;\n});").await;
    assert!(failed.starts_with("a test: ReferenceError: "), "{failed}");
    assert!(failed.contains("script:2"), "{failed}");
    let failed = failure("setTimeout(() => missing(), 0)").await;
    assert!(failed.starts_with("ReferenceError: "), "{failed}");
    assert_eq!(failure("throw 'a text'").await, "a text");
    let endless = failure("while (true) {}").await;
    assert!(endless.contains("interrupted"), "{endless}");
    let both =
        failures("pm.test('one', () => { throw 1 }); pm.test('two', () => { throw 2 })").await;
    assert_eq!(both, ["one: 1", "two: 2"]);
}

#[tokio::test]
async fn timers_fire_in_order_after_their_delays() {
    let sandbox = Sandbox::new(&[]);
    let begun = Instant::now();
    let code = "order = [];
        setTimeout(() => { order.push('late'); setTimeout(() => order.push('last'), 20) }, 40);
        setTimeout(() => order.push('early'), 10);";
    assert!(run(&sandbox, code).await.failures.is_empty());
    assert!(begun.elapsed() >= Duration::from_millis(60));
    let checked = run(&sandbox, "throw order.join()").await;
    assert_eq!(checked.failures, ["early,late,last"]);
}

#[tokio::test]
async fn variables_last_from_script_to_script() {
    let sandbox = Sandbox::new(&[("url", "http://a".to_owned()), ("id", "0".to_owned())]);
    let set = "pm.collectionVariables.set('id', 5); pm.collectionVariables.set('own', true);
        pm.variables.set('own', 'local');";
    assert!(run(&sandbox, set).await.failures.is_empty());
    // The environment comes before the collection, and local variables before both.
    assert_eq!(sandbox.substitute("{{url}}/{{id}}/{{own}}").unwrap(), "http://a/0/local");
    let get = "const { collectionVariables, variables } = pm;
        const found = [collectionVariables.get('id'), variables.get('url'), variables.get('none')];
        variables.unset('own');
        throw JSON.stringify(found);";
    assert_eq!(run(&sandbox, get).await.failures, [r#"[5,"http://a",null]"#]);
    assert_eq!(sandbox.substitute("{{own}}").unwrap(), "true");
    let failure = sandbox.substitute("{{id}} {{nothing}}").unwrap_err();
    assert!(failure.starts_with("Error: undefined variable {{nothing}}"), "{failure}");
}
