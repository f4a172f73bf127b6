-- A generation is what one version of the fold has made of the log. The live one lies in `projection`; `rebuild` builds
-- another beside it, in `shadow`, and exchanges the two in one transaction.
CREATE TABLE projection.generation (
    number     bigint PRIMARY KEY,
    fold       int NOT NULL,
    with_facts bool NOT NULL,
    begun_at   timestamptz NOT NULL
);
COMMENT ON TABLE projection.generation IS 'The generation of this schema, one row: fold is the version of the fold that made it. with_facts: the facts belong to it as well; where they do not, it took them over from the one before.';
INSERT INTO projection.generation (number, fold, with_facts, begun_at) VALUES (1, 1, true, now());
ALTER TABLE projection.progress ADD COLUMN generation bigint NOT NULL DEFAULT 1;
COMMENT ON COLUMN projection.progress.generation IS 'Whoever moves a place names the generation that it folds into: after an exchange it is another one.';
