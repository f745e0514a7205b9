// The part of Postman's API that the scripts of the collection use, for an engine that has
// nothing but the language. Assertions have the semantics of chai 4, as in Postman. What is
// missing throws "not supported", so that no script passes because this file lacks something.

globalThis.sandbox = (() => {
    'use strict';

    class AssertionError extends Error {
        name = 'AssertionError';
    }

    class Response {
        constructor({ status, headers, body }) {
            Object.assign(this, { status, headers, body });
        }

        all(name) {
            return this.headers.filter(({ key }) => key.toLowerCase() === name.toLowerCase());
        }
    }

    function unsupported(what) {
        throw new Error(`not supported: ${what}`);
    }

    // An object that throws when a property is read that it does not have.
    function closed(name, properties) {
        const get = (_, key) =>
            (Object.hasOwn(properties, key) ? properties[key] : unsupported(`${name}.${String(key)}`));
        return new Proxy(properties, { get });
    }

    // --- Values ---

    // Like type-detect of chai: 'null', 'number', 'array', 'date'.
    function type(value) {
        return Object.prototype.toString.call(value).slice(8, -1).toLowerCase();
    }

    function show(value) {
        if (value instanceof Response) {
            return `response ${value.status} ${shorten(value.body)}`;
        }
        const isJson = ['string', 'array', 'object', 'date'].includes(type(value));
        return shorten(isJson ? JSON.stringify(value) : String(value));
    }

    function shorten(text) {
        return text.length > 200 ? `${text.slice(0, 200)}…` : text;
    }

    // Like deep-eql of chai, for JSON values and dates.
    function deepEqual(left, right) {
        if (left === right) {
            return left !== 0 || 1 / left === 1 / right;
        }
        if (Number.isNaN(left) && Number.isNaN(right)) {
            return true;
        }
        const kind = type(left);
        if (kind !== type(right) || left !== Object(left)) {
            return false;
        }
        if (kind === 'date') {
            return deepEqual(left.getTime(), right.getTime());
        }
        if (kind !== 'array' && kind !== 'object') {
            unsupported(`deep equality of ${kind}`);
        }
        const keys = Object.keys(left);
        return keys.length === Object.keys(right).length
            && (kind === 'object' || left.length === right.length)
            && keys.every((key) => Object.hasOwn(right, key) && deepEqual(left[key], right[key]));
    }

    // --- Assertions ---

    function fail(state, text) {
        const message = state.message === undefined ? '' : `${state.message}: `;
        throw new AssertionError(`${message}expected ${show(state.subject)} ${text}`);
    }

    function check(state, isTrue, text) {
        if (isTrue === state.not) {
            fail(state, `${state.not ? 'not ' : ''}to ${text}`);
        }
    }

    // Assertions about other types fail, negated ones as well.
    function requireType(state, ...types) {
        if (!types.includes(type(state.subject))) {
            fail(state, `to be a ${types.join(' or ')}`);
        }
    }

    function requireResponse(state) {
        if (!(state.subject instanceof Response)) {
            unsupported(`a response assertion about ${type(state.subject)}`);
        }
    }

    function requireComparable(state, limit) {
        requireType(state, 'number', 'date');
        if (type(limit) !== type(state.subject)) {
            fail(state, `to be a ${type(limit)}, as ${show(limit)} is`);
        }
    }

    function isSame({ deep }, left, right) {
        return deep ? deepEqual(left, right) : left === right;
    }

    function includeProperties(state, wanted) {
        const { subject } = state;
        if (type(wanted) !== 'object') {
            unsupported(`an object that includes ${type(wanted)}`);
        }
        const differing = Object.keys(wanted)
            .filter((key) => !(key in subject && isSame(state, subject[key], wanted[key])))
            .map((key) => `${key}: ${show(wanted[key])} instead of ${show(subject[key])}`);
        const text = differing.length > 0 ? differing.join(', ') : show(wanted);
        check(state, differing.length === 0, `include ${text}`);
    }

    function checkMembers(state, wanted) {
        requireType(state, 'array');
        if (type(wanted) !== 'array' || state.deep) {
            unsupported('these members');
        }
        const rest = [...state.subject];
        const areThere = wanted.every((member) => {
            const place = rest.indexOf(member);
            // One member does not count for two that are wanted.
            return place >= 0 && (state.contains || rest.splice(place, 1).length === 1);
        });
        const isTrue = areThere && (state.contains || rest.length === 0);
        check(state, isTrue, `${state.contains ? 'include' : 'have'} members ${show(wanted)}`);
    }

    const LANGUAGE = ['to', 'be', 'have', 'that', 'is', 'at'];

    const FLAGS = ['not', 'deep'];

    const PROPERTIES = {
        true: (state) => check(state, state.subject === true, 'be true'),
        false: (state) => check(state, state.subject === false, 'be false'),
        null: (state) => check(state, state.subject === null, 'be null'),
        empty(state) {
            requireType(state, 'string', 'array', 'object');
            check(state, Object.keys(state.subject).length === 0, 'be empty');
        },
    };

    // The arguments that a method declares are the arguments that it must be given.
    const METHODS = {
        a: (state, name) => check(state, type(state.subject) === name, `be a ${name}`),
        an: (state, name) => METHODS.a(state, name),
        above(state, limit) {
            requireComparable(state, limit);
            check(state, state.subject > limit, `be above ${show(limit)}`);
        },
        below(state, limit) {
            requireComparable(state, limit);
            check(state, state.subject < limit, `be below ${show(limit)}`);
        },
        least(state, limit) {
            requireComparable(state, limit);
            check(state, state.subject >= limit, `be at least ${show(limit)}`);
        },
        eql: (state, wanted) =>
            check(state, deepEqual(state.subject, wanted), `deeply equal ${show(wanted)}`),
        equal: (state, wanted) =>
            check(state, isSame(state, state.subject, wanted), `equal ${show(wanted)}`),
        header(state, name) {
            requireResponse(state);
            check(state, state.subject.all(name).length > 0, `have the header ${name}`);
        },
        include(state, wanted) {
            requireType(state, 'string', 'array', 'object');
            const { subject } = state;
            if (type(subject) === 'object') {
                includeProperties(state, wanted);
            } else if (type(subject) === 'array') {
                const isThere = subject.some((item) => isSame(state, item, wanted));
                check(state, isThere, `include ${show(wanted)}`);
            } else {
                const isThere = type(wanted) === 'string' && subject.includes(wanted);
                check(state, isThere, `include ${show(wanted)}`);
            }
        },
        keys(state, ...names) {
            requireType(state, 'object');
            const areSupported = names.length > 0 && names.every((name) => type(name) === 'string');
            if (!state.contains || !areSupported) {
                unsupported('these keys');
            }
            const areThere = names.every((name) => Object.hasOwn(state.subject, name));
            check(state, areThere, `include keys ${show(names)}`);
        },
        length(state, length) {
            requireType(state, 'string', 'array');
            check(state, state.subject.length === length, `have length ${show(length)}`);
        },
        match(state, pattern) {
            requireType(state, 'string');
            check(state, pattern.exec(state.subject) !== null, `match ${show(pattern)}`);
        },
        members: checkMembers,
        property(state, name) {
            requireType(state, 'object');
            check(state, name in state.subject, `have property ${name}`);
            return { ...state, subject: state.subject[name] };
        },
        status(state, status) {
            requireResponse(state);
            check(state, state.subject.status === status, `have status ${show(status)}`);
        },
    };

    // Methods after which a chain may go on without a call: `to.include.members`.
    const CHAINABLE = ['a', 'an', 'include'];

    // The rest of a chain of assertions after a word, which is `method` if it is one.
    function chain(state, method) {
        const get = (_, word) => {
            if (method !== undefined && !CHAINABLE.includes(method)) {
                unsupported(`${method}.${String(word)}`);
            }
            if (LANGUAGE.includes(word)) {
                return chain(state);
            }
            if (FLAGS.includes(word)) {
                return chain({ ...state, [word]: true });
            }
            if (Object.hasOwn(PROPERTIES, word)) {
                PROPERTIES[word](state);
                return chain(state);
            }
            if (Object.hasOwn(METHODS, word)) {
                return chain(word === 'include' ? { ...state, contains: true } : state, word);
            }
            return unsupported(`the assertion ${String(word)}`);
        };
        const apply = (_, _this, values) => {
            const assert = method === undefined ? unsupported('this call') : METHODS[method];
            if (assert.length > 1 && assert.length !== 1 + values.length) {
                unsupported(`${method} with ${values.length} arguments`);
            }
            return chain(assert(state, ...values) ?? state);
        };
        return new Proxy(() => {}, { get, apply });
    }

    function expect(subject, message) {
        return chain({ subject, message, not: false, deep: false, contains: false });
    }

    // --- Variables ---

    const [local, environment, collection] = [new Map(), new Map(), new Map()];

    // The narrowest scope comes first.
    function lookUp(key) {
        return [local, environment, collection].find((scope) => scope.has(key))?.get(key);
    }

    function variables(name, scope, get) {
        const set = (key, value) => {
            if (!['string', 'number', 'boolean'].includes(type(value))) {
                unsupported(`${name}.set('${key}', ${show(value)})`);
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

    // Of the current script: number of tests, failures and next request; callbacks that are
    // scheduled; milliseconds that have passed for them.
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
            unsupported(`a delay of ${show(delay)}`);
        }
        timers.push({ callback, due: now + delay });
        timers.sort((one, other) => one.due - other.due);
    };

    function setNextRequest(next) {
        report.next = typeof next === 'string' ? next : unsupported('to stop the run');
    }

    function responseApi(response) {
        const headers = {
            get: (name) => response.all(name).at(-1)?.value,
            has: (name) => response.all(name).length > 0,
            filter: (isWanted) => response.headers.filter(isWanted),
        };
        return closed('pm.response', {
            headers: closed('pm.response.headers', headers),
            json: () => JSON.parse(response.body),
            text: () => response.body,
            to: expect(response).to,
        });
    }

    function api(requestId, response) {
        return closed('pm', {
            test,
            expect,
            execution: closed('pm.execution', { setNextRequest }),
            info: closed('pm.info', { requestId }),
            variables: variables('pm.variables', local, lookUp),
            collectionVariables:
                variables('pm.collectionVariables', collection, (key) => collection.get(key)),
            // Pre-request scripts have none.
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
            const received = response && new Response(JSON.parse(response));
            attempt('', () => script(api(requestId, received)));
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
