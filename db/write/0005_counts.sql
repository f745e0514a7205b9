-- Counts of published events follow from the rows, and topics wait apart.

-- The publisher reads the unpublished rows of each topic, in the order of ids.
CREATE INDEX outbox_waiting ON outbox (topic, id) WHERE published_at IS NULL;
DROP INDEX outbox_unpublished;

-- `published` is the number of rows that are marked as published, plus those that were
-- marked when they were deleted. With the unpublished rows it tells how many events of
-- a topic were ever committed, without counting the history. It does not matter who
-- marks a row, how often, or whether the mark is removed again.
CREATE FUNCTION count_marks() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO outbox_progress AS progress (topic, published)
    SELECT topic, sum(marks)
    FROM (
        SELECT topic, 1 AS marks FROM after WHERE published_at IS NOT NULL
        UNION ALL
        SELECT topic, -1 FROM before WHERE published_at IS NOT NULL
    ) AS change
    GROUP BY topic
    HAVING sum(marks) <> 0
    -- Two statements that change several topics lock them in the same order.
    ORDER BY topic
    -- The row is missing if somebody has emptied the table.
    ON CONFLICT (topic) DO UPDATE SET published = progress.published + excluded.published;
    RETURN NULL;
END
$$;

-- Once per statement, as a statement of the publisher marks a thousand rows. (A trigger
-- with transition tables cannot be limited to a column.)
CREATE TRIGGER outbox_marks
AFTER UPDATE ON outbox
REFERENCING OLD TABLE AS before NEW TABLE AS after
FOR EACH STATEMENT
EXECUTE FUNCTION count_marks();

CREATE FUNCTION count_published_row() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO outbox_progress AS progress (topic, published)
    VALUES (NEW.topic, 1)
    ON CONFLICT (topic) DO UPDATE SET published = progress.published + 1;
    RETURN NULL;
END
$$;

-- Commands insert unpublished rows only: for them this costs nothing.
CREATE TRIGGER outbox_published_rows
AFTER INSERT ON outbox
FOR EACH ROW
WHEN (NEW.published_at IS NOT NULL)
EXECUTE FUNCTION count_published_row();

-- Marks were counted as often as they were set so far.
UPDATE outbox_progress AS progress
SET published = (
    SELECT count(*) FROM outbox WHERE topic = progress.topic AND published_at IS NOT NULL
);
