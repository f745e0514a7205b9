// Runs before every request. The first request of a run clears `runId`: each run has its
// own names and ids, so that it can be repeated on existing data.
if (!pm.collectionVariables.get('runId')) {
    const random = (from, to) => Math.floor(from + Math.random() * (to - from));
    const runId = Date.now().toString(36) + random(36 ** 3, 36 ** 4).toString(36);
    const category = `Herbs/Spices ${runId}`;
    const variables = {
        runId,
        email: `ada.${runId}@example.com`,
        newEmail: `ada.king.${runId}@example.com`,
        newEmailInCapitals: `ADA.KING.${runId}@EXAMPLE.COM`,
        secondEmail: `grace.${runId}@example.com`,
        category,
        categoryInPath: encodeURIComponent(category),
        categoryInCapitals: encodeURIComponent(category.toUpperCase()),
        otherCategory: `Vouchers ${runId}`,
        bareCustomerId: random(8e15, 8.5e15),
        unknownId: random(8.5e15, 9e15),
    };
    Object.entries(variables).forEach(([name, value]) => pm.collectionVariables.set(name, value));
}

// Pause before a request is repeated: it is sent when no timer is left.
if (pm.variables.get('attempts')) {
    setTimeout(() => {}, 100);
}
