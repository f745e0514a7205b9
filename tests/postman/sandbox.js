// The part of Postman's API that the scripts of the collection use, for a JavaScript engine
// without Postman. Anything else throws "not supported", so that no script passes because
// this file lacks something.

globalThis.sandbox = (() => {
    'use strict';

    function unsupported(what) {
        throw new Error(`not supported: ${what}`);
    }

    // An object that throws when a property is read that it does not have.
    function closed(name, properties) {
        const get = (_, key) =>
            (Object.hasOwn(properties, key) ? properties[key] : unsupported(`${name}.${String(key)}`));
        return new Proxy(properties, { get });
    }

    // --- Variables ---

    const [local, environment, collection] = [new Map(), new Map(), new Map()];

    // The narrowest scope comes first.
    function lookUp(key) {
        return [local, environment, collection].find((scope) => scope.has(key))?.get(key);
    }

    function variables(name, scope, get) {
        const set = (key, value) => {
            if (!['string', 'number', 'boolean'].includes(typeof value)) {
                unsupported(`${name}.set('${key}', ${JSON.stringify(value)})`);
            }
            scope.set(key, value);
        };
        return closed(name, { get, set, unset: (key) => void scope.delete(key) });
    }

    function substitute(text) {
        return text.replace(/\{\{([^{}]*)\}\}/g, (reference, key) => {
            const value = lookUp(key);
            if (value === undefined) {
                throw new Error(`undefined variable ${reference}`);
            }
            return String(value);
        });
    }

    // --- Scripts ---

    // Of the current script: number of tests, failures and next request; scheduled
    // callbacks; milliseconds that have passed for them.
    let report;
    let timers;
    let now;

    function describe(error) {
        const frames = String(error?.stack).split('\n').filter((line) => /^\s*at /.test(line));
        const frame = frames.find((line) => !/sandbox\.js|\(native\)/.test(line));
        return `${error}${frame === undefined ? '' : ` ${frame.trim()}`}`;
    }

    function attempt(prefix, action) {
        try {
            action();
        } catch (error) {
            report.failures.push(`${prefix}${describe(error)}`);
        }
    }

    function test(name, assertions) {
        report.tests += 1;
        attempt(`${name}: `, () => {
            if (assertions.length > 0 || assertions() instanceof Promise) {
                unsupported('an asynchronous test');
            }
        });
    }

    globalThis.setTimeout = (callback, delay) => {
        if (!(delay >= 0)) {
            unsupported(`a delay of ${delay}`);
        }
        timers.push({ callback, due: now + delay });
        timers.sort((one, other) => one.due - other.due);
    };

    function setNextRequest(next) {
        report.next = typeof next === 'string' ? next : unsupported('to stop the run');
    }

    function responseApi({ status, headers, body }) {
        const all = (name) => headers.filter(({ key }) => key.toLowerCase() === name.toLowerCase());
        return closed('pm.response', {
            code: status,
            headers: closed('pm.response.headers', {
                get: (name) => all(name).at(-1)?.value,
                filter: (isWanted) => headers.filter(isWanted),
            }),
            text: () => body,
        });
    }

    function api(requestId, response) {
        return closed('pm', {
            test,
            execution: closed('pm.execution', { setNextRequest }),
            info: closed('pm.info', { requestId }),
            variables: variables('pm.variables', local, lookUp),
            collectionVariables:
                variables('pm.collectionVariables', collection, (key) => collection.get(key)),
            // Pre-request scripts have no response.
            ...(response && { response: responseApi(response) }),
        });
    }

    // --- For the program that embeds the engine ---

    return {
        setEnvironment: (key, value) => environment.set(key, value),
        substitute,
        describe,
        start(script, requestId, response) {
            [report, timers, now] = [{ tests: 0, failures: [], next: null }, [], 0];
            attempt('', () => script(api(requestId, response && JSON.parse(response))));
        },
        // Milliseconds until the next timer, if there is one.
        pause: () => timers[0] && timers[0].due - now,
        fire() {
            const { callback, due } = timers.shift();
            now = due;
            attempt('', callback);
        },
        report: () => report,
    };
})();
