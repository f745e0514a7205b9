//! The engine for the scripts of the Postman collection: what must fail in a script of the collection fails.

use std::time::{Duration, Instant};
use system_tests::postman::{Phase, Report, Sandbox, Script};

const RESPONSE: &str = r#"{
    "status": 200,
    "headers": [{"key": "x-event-id", "value": "7"}, {"key": "vary", "value": "a"}],
    "body": "{\"id\":1,\"price\":4.8}"
}"#;

async fn run(sandbox: &Sandbox, code: &str) -> Report {
    let script = Script { name: "script".into(), phase: Phase::Test, code: code.into() };
    sandbox.run(&script, "request-1", Some(RESPONSE)).await
}

async fn failures(code: &str) -> Vec<String> {
    let code = format!("const {{ expect, response }} = pm; {code}");
    run(&Sandbox::new(&[]), &code).await.failures
}

/// The only failure.
async fn failure(code: &str) -> String {
    let [failure] = failures(code).await.try_into().unwrap_or_else(|all| panic!("{code}: {all:?}"));
    failure
}

#[tokio::test]
async fn true_assertions_pass() {
    for assertion in [
        "expect(1).to.equal(1)",
        "expect(1).to.not.equal('1')",
        "expect(NaN).to.not.equal(NaN)",
        "expect([1]).to.not.equal([1])",
        "expect([1]).to.deep.equal([1])",
        "expect(NaN).to.eql(NaN)",
        "expect({ a: 1, b: { c: [1] } }).to.eql({ b: { c: [1] }, a: 1 })",
        "expect(new Date(5)).to.eql(new Date(5))",
        "expect('').to.be.a('string')",
        "expect([]).to.be.an('array')",
        "expect(2).to.be.a('number').above(1)",
        "expect(new Date(6)).to.be.above(new Date(5))",
        "expect(1).to.be.below(2)",
        "expect(2).to.be.at.least(2)",
        "expect(true).to.be.true",
        "expect(false).to.be.false",
        "expect(null).to.be.null",
        "expect('').to.be.empty",
        "expect({}).to.be.empty",
        "expect([1]).to.not.be.empty",
        "expect('a').to.be.a('string').that.is.not.empty",
        "expect('abc').to.include('b')",
        "expect([1, 2]).to.include(2)",
        "expect([{ a: 1 }]).to.not.include({ a: 1 })",
        "expect([{ a: 1 }]).to.deep.include({ a: 1 })",
        "expect({ a: 1, b: [1] }).to.deep.include({ b: [1] })",
        "expect({ a: 1 }).to.not.deep.include({ a: 1, b: 2 })",
        "expect([1, 2, 3]).to.have.members([3, 2, 1])",
        "expect([1, 2, 3]).to.include.members([3, 1])",
        "expect({ a: 1, b: 2 }).to.include.keys('b', 'a')",
        "expect([1, 2]).to.have.length(2)",
        "expect('abc').to.match(/^a/)",
        "expect({ a: undefined }).to.have.property('a')",
        "expect({ a: 1 }).to.have.property('a').that.is.a('number')",
        "response.to.have.status(200)",
        "response.to.have.header('X-Event-Id')",
        "response.to.not.have.header('X-Stale')",
    ] {
        let failures = failures(assertion).await;
        assert!(failures.is_empty(), "{assertion}: {failures:?}");
    }
}

#[tokio::test]
async fn false_assertions_fail() {
    for (assertion, message) in [
        ("expect(1).to.equal('1')", r#"expected 1 to equal "1""#),
        ("expect(1).to.not.equal(1)", "expected 1 not to equal 1"),
        ("expect(NaN).to.equal(NaN)", "expected NaN to equal NaN"),
        ("expect([1]).to.equal([1])", "expected [1] to equal [1]"),
        ("expect(1, 'a message').to.equal(2)", "a message: expected 1 to equal 2"),
        ("expect([1, 2]).to.eql([2, 1])", "expected [1,2] to deeply equal [2,1]"),
        ("expect([]).to.eql({})", "expected [] to deeply equal {}"),
        ("expect([1,,]).to.eql([1])", "to deeply equal"),
        ("expect(0).to.eql(-0)", "to deeply equal"),
        ("expect(null).to.eql(undefined)", "expected null to deeply equal undefined"),
        ("expect({ a: 1 }).to.eql({ a: 1, b: undefined })", "to deeply equal"),
        ("expect({ a: undefined }).to.eql({ b: undefined })", "to deeply equal"),
        ("expect({ a: { b: 1 } }).to.eql({ a: { b: 2 } })", "to deeply equal"),
        ("expect(new Date(5)).to.eql(new Date(6))", "to deeply equal"),
        ("expect(undefined).to.be.a('string')", "expected undefined to be a string"),
        ("expect(null).to.be.an('object')", "expected null to be a object"),
        ("expect([]).to.be.an('object')", "expected [] to be a object"),
        ("expect(1).to.be.above(1)", "expected 1 to be above 1"),
        ("expect('2').to.be.above(1)", r#"expected "2" to be a number or date"#),
        ("expect('2').to.not.be.above(3)", r#"expected "2" to be a number or date"#),
        ("expect(2).to.be.above('1')", r#"expected 2 to be a string, as "1" is"#),
        ("expect(NaN).to.be.above(0)", "expected NaN to be above 0"),
        ("expect(new Date(5)).to.be.above(new Date(5))", "to be above"),
        ("expect(2).to.be.below(2)", "expected 2 to be below 2"),
        ("expect(1).to.be.at.least(2)", "expected 1 to be at least 2"),
        ("expect(1).to.be.true", "expected 1 to be true"),
        ("expect(undefined).to.be.false", "expected undefined to be false"),
        ("expect(undefined).to.be.null", "expected undefined to be null"),
        ("expect([1]).to.be.empty", "expected [1] to be empty"),
        ("expect('').to.be.a('string').that.is.not.empty", r#"expected "" not to be empty"#),
        ("expect(undefined).to.be.empty", "expected undefined to be a string or array or object"),
        ("expect(undefined).to.not.be.empty", "expected undefined to be a string or"),
        ("expect('abc').to.include('d')", r#"expected "abc" to include "d""#),
        ("expect([1]).to.include('1')", r#"expected [1] to include "1""#),
        ("expect([NaN]).to.include(NaN)", "to include NaN"),
        ("expect([{ a: 1 }]).to.include({ a: 1 })", r#"to include {"a":1}"#),
        ("expect([{ a: 1 }]).to.deep.include({ a: 2 })", r#"to include {"a":2}"#),
        ("expect({ a: [1] }).to.include({ a: [1] })", "to include a: [1] instead of [1]"),
        ("expect({ a: 1 }).to.deep.include({ a: 1, b: 2 })", "include b: 2 instead of undefined"),
        ("expect({ a: 1 }).to.deep.include({ b: undefined })", "include b: undefined"),
        ("expect({ a: 1 }).to.not.deep.include({ a: 1 })", r#"not to include {"a":1}"#),
        ("expect(undefined).to.not.deep.include({ a: 1 })", "expected undefined to be a string or"),
        ("expect([1, 2, 3]).to.have.members([3, 2])", "to have members [3,2]"),
        ("expect([1, 2]).to.have.members([1, 2, 3])", "to have members [1,2,3]"),
        ("expect([1, 1, 2]).to.have.members([1, 2, 2])", "to have members [1,2,2]"),
        ("expect([[1]]).to.have.members([[1]])", "to have members [[1]]"),
        ("expect([1, 2]).to.include.members([1, 3])", "to include members [1,3]"),
        ("expect({ a: 1 }).to.include.keys('a', 'b')", r#"to include keys ["a","b"]"#),
        ("expect([1, 2]).to.have.length(3)", "expected [1,2] to have length 3"),
        ("expect(undefined).to.have.length(0)", "expected undefined to be a string or array"),
        ("expect('abc').to.match(/^b/)", r#"expected "abc" to match /^b/"#),
        ("expect(undefined).to.match(/undefined/)", "expected undefined to be a string"),
        ("expect({}).to.have.property('a')", "expected {} to have property a"),
        ("expect({ a: 1 }).to.have.property('a').that.is.a('string')", "expected 1 to be a string"),
        ("response.to.have.status(201)", "expected response 200 {"),
        ("response.to.not.have.status(200)", "not to have status 200"),
        ("response.to.have.header('X-Stale')", "to have the header X-Stale"),
        ("response.to.not.have.header('x-event-ID')", "not to have the header x-event-ID"),
    ] {
        let failure = failure(assertion).await;
        let is_assertion = failure.starts_with("AssertionError: ");
        assert!(is_assertion && failure.contains(message), "{assertion}: {failure}");
        // The same within a test.
        let failure = self::failure(&format!("pm.test('a test', () => {assertion})")).await;
        assert!(failure.starts_with("a test: AssertionError: "), "{assertion}: {failure}");
    }
}

#[tokio::test]
async fn what_is_missing_fails() {
    for code in [
        "expect(1).to.be.ok",
        "expect(1).to.bee.true",
        "expect(1).to.be.within(0, 2)",
        "expect(1).to.equal.true",
        "expect(undefined).to.equal()",
        "expect(1).to.equal(1, 'a message')",
        "expect(1)(1)",
        "expect(new Map()).to.eql(new Map())",
        "expect({ a: 1 }).to.have.keys('a')",
        "expect({ a: 1 }).to.not.include.keys()",
        "expect([[1]]).to.have.deep.members([[1]])",
        "expect(1).to.have.status(1)",
        "response.to.be.json",
        "response.code",
        "response.headers.each(() => {})",
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
        let is_loud = failures.iter().any(|failure| failure.contains("not supported: "));
        assert!(is_loud, "{code}: {failures:?}");
    }
    for missing in ["console.log(1)", "require('chai')", "postman", "pm.test.skip('a test')"] {
        assert!(!failures(missing).await.is_empty(), "{missing}");
    }
}

#[tokio::test]
async fn exceptions_fail_with_script_and_line() {
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
    assert!(failure("const a = ;").await.starts_with("SyntaxError: "));
    let both =
        failures("pm.test('one', () => { throw 1 }); pm.test('two', () => { throw 2 })").await;
    assert_eq!(both, ["one: 1", "two: 2"]);
}

#[tokio::test]
async fn timers_wait_and_run_in_order() {
    let sandbox = Sandbox::new(&[]);
    let begun = Instant::now();
    let code = "order = [];
        setTimeout(() => { order.push('late'); setTimeout(() => order.push('last'), 20) }, 40);
        setTimeout(() => order.push('early'), 10);";
    assert!(run(&sandbox, code).await.failures.is_empty());
    assert!(begun.elapsed() >= Duration::from_millis(60));
    let checked = run(&sandbox, "pm.expect(order).to.eql(['early', 'late', 'last'])").await;
    assert!(checked.failures.is_empty(), "{:?}", checked.failures);
}

#[tokio::test]
async fn variables_last_from_script_to_script() {
    let sandbox = Sandbox::new(&[("url", "http://a".to_owned()), ("id", "0".to_owned())]);
    let set = "pm.collectionVariables.set('id', 5); pm.collectionVariables.set('own', true);
        pm.variables.set('own', 'local');";
    assert!(run(&sandbox, set).await.failures.is_empty());
    // The environment comes before the collection, and local variables before both.
    assert_eq!(sandbox.substitute("{{url}}/{{id}}/{{own}}").unwrap(), "http://a/0/local");
    let get = "pm.expect(pm.collectionVariables.get('id')).to.equal(5);
        pm.expect(pm.variables.get('url')).to.equal('http://a');
        pm.expect(pm.variables.get('nothing')).to.equal(undefined);
        pm.variables.unset('own');";
    let checked = run(&sandbox, get).await;
    assert!(checked.failures.is_empty(), "{:?}", checked.failures);
    assert_eq!(sandbox.substitute("{{own}}").unwrap(), "true");
    let failure = sandbox.substitute("{{id}} {{nothing}}").unwrap_err();
    assert!(failure.starts_with("Error: undefined variable {{nothing}}"), "{failure}");
}

#[tokio::test]
async fn scripts_see_the_response_and_choose_the_next_request() {
    let code = "pm.test('the response', () => {
            pm.expect(pm.response.json()).to.eql({ id: 1, price: 4.8 });
            pm.expect(pm.response.text()).to.include('4.8');
            pm.expect(pm.response.headers.get('X-Event-Id')).to.equal('7');
            pm.expect(pm.response.headers.get('X-Stale')).to.equal(undefined);
            pm.expect(pm.response.headers.has('VARY')).to.be.true;
            pm.expect(pm.response.headers.filter(({ value }) => value === 'a')).to.have.length(1);
        });
        pm.execution.setNextRequest(pm.info.requestId);";
    let report = run(&Sandbox::new(&[]), code).await;
    assert!(report.failures.is_empty(), "{:?}", report.failures);
    assert_eq!((report.tests, report.next.as_deref()), (1, Some("request-1")));
}
