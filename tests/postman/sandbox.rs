//! Runs scripts of the collection in the JavaScript engine QuickJS with `sandbox.js`.

use super::collection::Script;
use rquickjs::context::EvalOptions;
use rquickjs::{Context, Ctx, Error, FromJs, Function, Object, Runtime};
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

const SANDBOX: &str = include_str!("sandbox.js");

/// A script that runs longer is in an endless loop.
const LIMIT: Duration = Duration::from_secs(3);

/// An engine. Variables and globals last from script to script.
pub struct Sandbox {
    context: Context,
    runtime: Runtime,
    /// Whether a promise has been rejected.
    rejected: Rc<Cell<bool>>,
    /// When the engine was last called.
    called: Rc<Cell<Instant>>,
}

/// The result of a script.
#[derive(Debug, Default)]
pub struct Report {
    /// Number of tests.
    pub tests: usize,
    /// Messages of failed assertions and of exceptions.
    pub failures: Vec<String>,
    /// Name or id of the next request, if the script sets it.
    pub next: Option<String>,
}

impl Sandbox {
    /// An engine with the variables of a Postman environment.
    pub fn new(environment: &[(&str, String)]) -> Self {
        let runtime = Runtime::new().unwrap();
        let rejected = Rc::new(Cell::new(false));
        let seen = Rc::clone(&rejected);
        runtime.set_host_promise_rejection_tracker(Some(Box::new(move |_, _, _, _| {
            seen.set(true);
        })));
        let called = Rc::new(Cell::new(Instant::now()));
        let since = Rc::clone(&called);
        runtime.set_interrupt_handler(Some(Box::new(move || since.get().elapsed() > LIMIT)));
        let context = Context::full(&runtime).unwrap();
        context.with(|ctx| evaluate::<()>(&ctx, SANDBOX, "sandbox.js", true).unwrap());
        let sandbox = Self { context, runtime, rejected, called };
        for (name, value) in environment {
            let set = sandbox.with(|_, sandbox| {
                function(&sandbox, "setEnvironment")?.call::<_, ()>((*name, value))
            });
            set.unwrap();
        }
        sandbox
    }

    /// Parses a script. The error names the script and the line.
    pub fn parse(&self, script: &Script) -> Result<(), String> {
        self.with(|ctx, _| parsed(ctx, script).map(drop))
    }

    /// Replaces references to variables by their values. All must be defined.
    pub fn substitute(&self, text: &str) -> Result<String, String> {
        self.with(|_, sandbox| function(&sandbox, "substitute")?.call((text,)))
    }

    /// Runs a script, then the callbacks that it schedules. The response is JSON with
    /// `status`, `headers` and `body`.
    pub async fn run(&self, script: &Script, request_id: &str, response: Option<&str>) -> Report {
        let started = self.with(|ctx, sandbox| {
            let script = parsed(ctx, script)?;
            function(&sandbox, "start")?.call::<_, ()>((script, request_id, response))
        });
        if let Err(failure) = started {
            return Report { failures: vec![failure], ..Report::default() };
        }
        while let Some(milliseconds) = self.call::<Option<f64>>("pause") {
            tokio::time::sleep(Duration::from_secs_f64(milliseconds / 1000.0)).await;
            self.call::<()>("fire");
        }
        let mut report = self.report();
        if self.rejected.take() || self.runtime.is_job_pending() {
            report.failures.push(format!("not supported: promises, in {}", script.name));
            while let Ok(true) = self.runtime.execute_pending_job() {}
        }
        report
    }

    fn report(&self) -> Report {
        let report = self.with(|_, sandbox| {
            let report: Object = function(&sandbox, "report")?.call(())?;
            let (tests, failures) = (report.get("tests")?, report.get("failures")?);
            Ok(Report { tests, failures, next: report.get("next")? })
        });
        report.unwrap()
    }

    /// Calls a function of `sandbox.js` that throws nothing.
    fn call<T: for<'js> FromJs<'js>>(&self, name: &str) -> T {
        self.with(|_, sandbox| function(&sandbox, name)?.call(())).unwrap()
    }

    /// Calls the global object `sandbox` and converts exceptions.
    fn with<T>(
        &self,
        action: impl for<'js> FnOnce(&Ctx<'js>, Object<'js>) -> rquickjs::Result<T>,
    ) -> Result<T, String> {
        self.called.set(Instant::now());
        self.context.with(|ctx| {
            let sandbox: Object = ctx.globals().get("sandbox").unwrap();
            action(&ctx, sandbox.clone()).map_err(|error| match error {
                Error::Exception => {
                    function(&sandbox, "describe").unwrap().call((ctx.catch(),)).unwrap()
                }
                error => error.to_string(),
            })
        })
    }
}

fn function<'js>(sandbox: &Object<'js>, name: &str) -> rquickjs::Result<Function<'js>> {
    sandbox.get(name)
}

/// A script as a function of `pm`. The code starts in the first line, so that line numbers
/// in error messages are right. Scripts are not in strict mode, as in Postman.
fn parsed<'js>(ctx: &Ctx<'js>, script: &Script) -> rquickjs::Result<Function<'js>> {
    let code = format!("(function (pm) {{ {}\n}})", script.code);
    evaluate(ctx, &code, &script.name, false)
}

fn evaluate<'js, T: FromJs<'js>>(
    ctx: &Ctx<'js>,
    code: &str,
    name: &str,
    is_strict: bool,
) -> rquickjs::Result<T> {
    let mut options = EvalOptions::default();
    options.filename = Some(name.to_owned());
    options.strict = is_strict;
    ctx.eval_with_options(code, options)
}
