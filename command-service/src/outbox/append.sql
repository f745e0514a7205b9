-- Appends events, and stores the response to its command.
--
-- $1 to $3 events: id, topic, payload; $4 responses, a JSON array of rows of `idempotency_keys`.
WITH kept AS (
    INSERT INTO idempotency_keys
        (scope, caller, key, body_sha256, status, event_id, location, body)
    SELECT scope, caller, key, decode(body_sha256, 'hex'), status, event_id, location, body
    FROM json_to_recordset($4::text::json) AS answer (
        scope text, caller text, key text, body_sha256 text, status smallint,
        event_id uuid, location text, body text
    )
)
INSERT INTO outbox (id, topic, payload)
SELECT id, topic, payload::jsonb
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS event (id, topic, payload)
