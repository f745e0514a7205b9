-- Every sync status asks whether an event of our own outbox is a dead letter.
SET LOCAL search_path = live, public;

CREATE INDEX dead_letters_ours ON dead_letters (id) WHERE ours;
