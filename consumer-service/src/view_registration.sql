-- Replaces the registered views.
--
-- $1 positions in the list; $2 views; $3 topics.
WITH listed AS (
    SELECT * FROM unnest($1::integer[], $2::text[], $3::text[]) AS listed (place, view, topic)
), removed AS (
    DELETE FROM projections
    WHERE (view, topic) NOT IN (SELECT view, topic FROM listed)
)
INSERT INTO projections (place, view, topic)
SELECT place, view, topic
FROM listed
ON CONFLICT (view, topic) DO UPDATE
SET place = excluded.place
