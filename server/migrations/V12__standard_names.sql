-- The standard words of a bitemporal store: valid time, transaction time, policy. No row changes. A generation in the shadow
-- was built by a program of before, which this one would build again: it is dropped.
DROP SCHEMA IF EXISTS shadow CASCADE;

ALTER TABLE registry.belief RENAME TO status_shown;
ALTER INDEX registry.belief_pkey RENAME TO status_shown_pkey;
ALTER INDEX registry.belief_gone RENAME TO status_shown_gone;
COMMENT ON TABLE registry.status_shown IS 'Transaction time: what the row of each facility showed from known_from on, until the next row here. shown is false where a swap of generations took the facility away.';

ALTER TABLE registry.truth RENAME TO status_history;
ALTER TABLE registry.status_history RENAME COLUMN true_from TO valid_from;
ALTER INDEX registry.truth_pkey RENAME TO status_history_pkey;
COMMENT ON TABLE registry.status_history IS 'Valid time: the status of each facility from valid_from on, until the next row here, by all that is known now.';

ALTER TABLE registry.truth_head RENAME TO status_history_head;
ALTER TABLE registry.status_history_head RENAME COLUMN ground TO policy_hash;
ALTER INDEX registry.truth_head_pkey RENAME TO status_history_head_pkey;
COMMENT ON TABLE registry.status_history_head IS 'Where the history of a facility is continued: its state as it was at `through`, by which policy and which version of the fold.';

ALTER TABLE registry.truth_due RENAME TO status_history_pending;
ALTER INDEX registry.truth_due_pkey RENAME TO status_history_pending_pkey;
ALTER INDEX registry.truth_due_facility RENAME TO status_history_pending_facility;
COMMENT ON TABLE registry.status_history_pending IS 'Facilities whose history is to be recomputed. late_from: a fact arrived that was so from then on; absent where nothing of before changed.';

DROP FUNCTION analytics.status_as_of(timestamptz, uuid);
CREATE FUNCTION analytics.status_as_of(at timestamptz, facility uuid DEFAULT NULL)
RETURNS TABLE (
    facility_id uuid, valid_from timestamptz, code text, name text, prefecture text, eligible text, evidence text,
    evidence_level text, equipment text, intent text, opt_out text, listing text, freshness text, flags text[]
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
SELECT s.facility_id, s.valid_from, s.code, s.name, s.prefecture, s.eligible, s.evidence, s.evidence_level, s.equipment,
       s.intent, s.opt_out, s.listing, s.freshness, s.flags
FROM registry.status_history_head h
CROSS JOIN LATERAL (
    SELECT * FROM registry.status_history s WHERE s.facility_id = h.facility_id AND s.valid_from <= at
    ORDER BY s.valid_from DESC LIMIT 1
) s
WHERE facility IS NULL OR h.facility_id = facility
$$;
COMMENT ON FUNCTION analytics.status_as_of IS 'Valid time: the status at an instant by all that is known now, of every facility or of one. Facilities of which nothing was so by then are missing. It follows what is shown within seconds: analytics.status_as_of_lag has how many facilities are being recomputed.';
COMMENT ON VIEW analytics.status_as_of_lag IS 'How many facilities analytics.status_as_of does not yet give by all that is known.';

CREATE OR REPLACE FUNCTION analytics.status_known_at(at timestamptz, facility uuid DEFAULT NULL)
RETURNS TABLE (
    facility_id uuid, known_from timestamptz, code text, name text, prefecture text, eligible text, evidence text,
    evidence_level text, equipment text, intent text, opt_out text, listing text, freshness text, flags text[]
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
SELECT s.facility_id, s.known_from, s.code, s.name, s.prefecture, s.eligible, s.evidence, s.evidence_level, s.equipment,
       s.intent, s.opt_out, s.listing, s.freshness, s.flags
FROM (
    SELECT f.facility_id FROM projection.facility_row f WHERE facility IS NULL OR f.facility_id = facility
    UNION
    SELECT g.facility_id FROM registry.status_shown g WHERE NOT g.shown AND (facility IS NULL OR g.facility_id = facility)
) f
CROSS JOIN LATERAL (
    SELECT * FROM registry.status_shown s WHERE s.facility_id = f.facility_id AND s.known_from <= at
    ORDER BY s.known_from DESC LIMIT 1
) s
WHERE s.shown
$$;
COMMENT ON FUNCTION analytics.status_known_at IS 'Transaction time: what was shown at an instant, of every facility or of one, whether it was right or not. Facilities that were not shown then are missing.';

ALTER TABLE projection.facility_row RENAME COLUMN ground TO policy_hash;
ALTER VIEW projection.facility RENAME COLUMN ground TO policy_hash;
COMMENT ON COLUMN projection.facility_row.policy_hash IS 'The policy (rules and calendar) by which the row was folded. Where it is not the one in force, the row is about to be folded again; 0 is none.';

ALTER TABLE projection.fact RENAME COLUMN place TO index_in_record;
ALTER VIEW analytics.fact RENAME COLUMN place TO index_in_record;
COMMENT ON TABLE projection.fact IS 'Every fact once, in the order of the log; index_in_record counts within one record of the log, which is a batch.';
COMMENT ON VIEW analytics.fact IS 'Every fact once. partition, log_offset and index_in_record give the order of the log.';

ALTER TABLE registry.snapshot_row RENAME COLUMN place TO row_index;
ALTER TABLE registry.snapshot_suggestion RENAME COLUMN place TO row_index;
ALTER TABLE registry.snapshot_told RENAME TO snapshot_recorded;
ALTER INDEX registry.snapshot_told_pkey RENAME TO snapshot_recorded_pkey;
COMMENT ON TABLE registry.snapshot_recorded IS 'For which facilities the log has what the snapshot says, many in a row: an interrupted import continues after them. An empty code is an absence.';
