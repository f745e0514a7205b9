//! All scripts of the Postman collection are valid JavaScript.

use system_tests::postman::{Collection, Phase, Sandbox, Script};

#[test]
fn scripts_parse() {
    let (collection, sandbox) = (Collection::read(), Sandbox::new(&[]));
    let of_requests = collection.requests.iter().flat_map(|request| &request.scripts);
    let scripts = collection.scripts.iter().chain(of_requests);
    let failures: Vec<_> = scripts.filter_map(|script| sandbox.parse(script).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn an_error_names_the_script_and_the_line() {
    let (name, code) = ("Create a user, test".to_owned(), "const a = 1;\nconst b = ;".to_owned());
    let failure = Sandbox::new(&[]).parse(&Script { name, phase: Phase::Test, code }).unwrap_err();
    assert!(failure.starts_with("SyntaxError: "), "{failure}");
    assert!(failure.contains("Create a user, test:2"), "{failure}");
}

#[test]
fn every_request_has_a_test_script() {
    for request in &Collection::read().requests {
        let has_test = request.scripts.iter().any(|script| script.phase == Phase::Test);
        assert!(has_test, "{}", request.name);
    }
}
