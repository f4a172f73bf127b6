-- The position alone does not say that the log is the one that was folded: a log that lost its end and grew again, or a topic
-- that was created anew, has other records at the same offsets. A generation in the shadow has no digests: it is dropped.
DROP SCHEMA IF EXISTS shadow CASCADE;

ALTER TABLE projection.progress ADD COLUMN last_record bytea;
COMMENT ON COLUMN projection.progress.last_record IS 'The SHA-256 of the record before next_offset, by which the log is recognised; null until a record was folded by a version that keeps it.';

-- Who had no lease a moment ago must not judge who has none now: all may have lost theirs together.
ALTER TABLE registry.lease ADD COLUMN held_since timestamptz NOT NULL DEFAULT now();
COMMENT ON COLUMN registry.lease.held_since IS 'Since when the instance has held the lease without interruption.';
