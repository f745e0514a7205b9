// Functions of the test scripts. Assigned without const or let, so that the scripts of
// requests can use them.
checks = {
    // Values that are known by their form only.
    FORMS: {
        '<boolean>': (value) => typeof value === 'boolean',
        '<event id>': (value) =>
            /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(value),
        '<id>': (value) => Number.isSafeInteger(value) && value > 0,
        '<list>': (value) => Array.isArray(value) && value.length > 0,
        '<number>': (value) => typeof value === 'number',
        '<text>': (value) => typeof value === 'string' && value !== '',
        '<time>': (value) => /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$/.test(value),
    },

    // Replaces {{variables}}. A text that is one variable becomes its value, with its type.
    resolve(pm, expected) {
        const value = (name) => {
            const found = pm.collectionVariables.get(name);
            if (found === undefined) {
                throw new Error(`no variable ${name}`);
            }
            return found;
        };
        if (typeof expected === 'string') {
            const variable = /^\{\{(\w+)\}\}$/.exec(expected);
            return variable ? value(variable[1])
                : expected.replace(/\{\{(\w+)\}\}/g, (_, name) => value(name));
        }
        if (Array.isArray(expected)) {
            return expected.map((item) => checks.resolve(pm, item));
        }
        if (expected !== null && typeof expected === 'object') {
            return Object.fromEntries(
                Object.entries(expected).map(([key, item]) => [key, checks.resolve(pm, item)]));
        }
        return expected;
    },

    // The value at a path such as `orders[0].id`.
    at: (value, path) =>
        path.split(/[.[\]]+/).filter((key) => key !== '')
            .reduce((found, key) => (found === null || found === undefined ? undefined : found[key]), value),

    // How a value differs from what is expected. An object may have further properties.
    differences(actual, expected, path = '') {
        if (Array.isArray(expected)) {
            if (!Array.isArray(actual) || actual.length !== expected.length) {
                return [`${path}: ${JSON.stringify(actual)} instead of ${expected.length} items`];
            }
            return expected.flatMap((item, index) =>
                checks.differences(actual[index], item, `${path}[${index}]`));
        }
        if (expected !== null && typeof expected === 'object') {
            if (actual === null || typeof actual !== 'object') {
                return [`${path}: ${JSON.stringify(actual)} instead of an object`];
            }
            return Object.entries(expected).flatMap(([key, item]) =>
                checks.differences(actual[key], item, path === '' ? key : `${path}.${key}`));
        }
        const form = checks.FORMS[expected];
        const isEqual = form ? form(actual) : actual === expected;
        return isEqual ? [] : [`${path}: ${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`];
    },

    // The response, for expressions of single requests.
    read(pm) {
        const text = pm.response.text();
        let body;
        try {
            body = JSON.parse(text);
        } catch (error) {
            // Not JSON.
        }
        return {
            body,
            text,
            header: (name) => pm.response.headers.get(name),
            variable: (name) => pm.collectionVariables.get(name),
        };
    },

    // Checks a response; each key of `expected` is described in collection/README.md.
    run(pm, expected) {
        const response = checks.read(pm);
        if (expected.eventually && checks.repeat(pm, expected, response)) {
            return;
        }
        for (const [name, path] of Object.entries(expected.save || {})) {
            const header = /^header (.+)$/.exec(path);
            const value = header ? response.header(header[1])
                : path === 'text' ? response.text : checks.at(response.body, path);
            pm.collectionVariables.set(name, value);
        }
        const wanted = checks.completed(checks.resolve(pm, expected));
        const test = (name, differences) => pm.test(name, () => {
            const found = differences();
            if (found.length > 0) {
                throw new Error(found.join('; '));
            }
        });
        test(`status ${wanted.status}`, () =>
            checks.differences(pm.response.code, wanted.status, 'status'));
        for (const [name, value] of Object.entries(wanted.headers)) {
            test(value === null ? `no header ${name}` : `header ${name}`, () => {
                const given = response.header(name);
                return value === null ? (given === undefined ? [] : [`${name}: ${given}`])
                    : name === 'Content-Type' ? (String(given).startsWith(value) ? [] : [`${name}: ${given}`])
                        : checks.differences(given, checks.FORMS[value] ? value : String(value), name);
            });
        }
        if (wanted.refused) {
            test(wanted.refused, () => checks.differences(response.body, wanted.body));
            test('wrong fields', () => {
                const fields = (response.body.errors || []).map(({ field }) => field);
                return checks.differences(fields.sort(), (wanted.fields || []).sort(), 'errors');
            });
        } else if (Array.isArray(wanted.body)) {
            test('items', () => checks.differences(response.body, wanted.body));
        } else {
            for (const [name, value] of Object.entries(wanted.body || {})) {
                test(name, () => checks.differences(checks.at(response.body, name), value, name));
            }
        }
        for (const part of wanted.contains || []) {
            test(`contains ${part}`, () => (response.text.includes(part) ? [] : [response.text.slice(0, 200)]));
        }
        for (const [name, isTrue] of Object.entries(expected.checks || {})) {
            test(name, () => (isTrue(response) ? [] : [response.text.slice(0, 200)]));
        }
    },

    // The keys `created`, `changed`, `refused` and `ids` in terms of the others.
    completed(expected) {
        const { created, changed, refused, ids, cursor, type = 'application/json' } = expected;
        const headers = { 'Content-Type': type };
        let { status = 200, body } = expected;
        if (created) {
            status = 201;
            Object.assign(headers, { Location: created, 'X-Event-Id': '<event id>' });
        }
        if (changed) {
            headers['X-Event-Id'] = '<event id>';
        }
        if (ids) {
            body = ids.map((id) => ({ id }));
            headers['X-Next-Cursor'] = cursor === undefined ? null : cursor;
        }
        if (refused) {
            const [, code, error] = /^(\d+) (.+)$/.exec(refused);
            status = Number(code);
            const urn = `urn:problem:${error.toLowerCase().replace(/\W+/g, '-')}`;
            body = { error, title: error, status, type: urn, detail: '<text>', ...body };
            Object.assign(headers, { 'Content-Type': 'application/problem+json', 'X-Event-Id': null });
        }
        return { ...expected, status, body, headers: { ...headers, ...expected.headers } };
    },

    // Sends the request again, up to 100 times, until the response is as expected: views
    // follow commands within some milliseconds. After one timeout later requests are not
    // repeated. Returns whether the request is repeated.
    repeat(pm, expected, response) {
        const attempts = Number(pm.variables.get('attempts') || 0) + 1;
        const { body = {} } = checks.resolve(pm, expected);
        const isExpected = Object.keys(body).every((path) =>
            checks.differences(checks.at(response.body, path), body[path]).length === 0)
            && Object.values(expected.checks || {}).every((isTrue) => {
                try {
                    return isTrue(response);
                } catch (error) {
                    // The body is still a problem.
                    return false;
                }
            });
        if (!isExpected && attempts < 100 && !pm.variables.get('timedOut')) {
            pm.variables.set('attempts', attempts);
            pm.execution.setNextRequest(pm.info.requestId);
            return true;
        }
        pm.variables.unset('attempts');
        if (!isExpected) {
            pm.variables.set('timedOut', true);
        }
        return false;
    },
};
