-- What was true of each facility from when on, by all that is known now: the fold of its facts in the order in which they
-- were so. It follows from the facts and may be thrown away; the projector tells it anew beside everything else.
CREATE TABLE registry.truth (
    facility_id    uuid NOT NULL,
    true_from      timestamptz NOT NULL,
    code           text,
    name           text NOT NULL,
    prefecture     text NOT NULL,
    eligible       text NOT NULL,
    evidence       text NOT NULL,
    evidence_level text,
    equipment      text NOT NULL,
    intent         text NOT NULL,
    opt_out        text NOT NULL,
    listing        text NOT NULL,
    freshness      text NOT NULL,
    flags          text[] NOT NULL,
    PRIMARY KEY (facility_id, true_from)
);
COMMENT ON TABLE registry.truth IS 'What was true of each facility from true_from on, until the next row here, by all that is known now.';

CREATE TABLE registry.truth_head (
    facility_id uuid PRIMARY KEY,
    through     timestamptz NOT NULL,
    ground      bigint NOT NULL,
    fold        int NOT NULL,
    state       text NOT NULL
);
COMMENT ON TABLE registry.truth_head IS 'Where the telling of a facility goes on: its state as it was at `through`, by which rules and which version of the fold.';

CREATE TABLE registry.truth_due (
    number      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    facility_id uuid NOT NULL,
    late_from   timestamptz
);
CREATE INDEX truth_due_facility ON registry.truth_due (facility_id);
COMMENT ON TABLE registry.truth_due IS 'Facilities that are to be told anew; late_from: from then on something else was so than was known.';
INSERT INTO registry.truth_due (facility_id) SELECT facility_id FROM projection.facility_row;

CREATE FUNCTION analytics.status_as_of(at timestamptz, facility uuid DEFAULT NULL)
RETURNS TABLE (
    facility_id uuid, true_from timestamptz, code text, name text, prefecture text, eligible text, evidence text,
    evidence_level text, equipment text, intent text, opt_out text, listing text, freshness text, flags text[]
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
SELECT t.facility_id, t.true_from, t.code, t.name, t.prefecture, t.eligible, t.evidence, t.evidence_level, t.equipment,
       t.intent, t.opt_out, t.listing, t.freshness, t.flags
FROM registry.truth_head h
CROSS JOIN LATERAL (
    SELECT * FROM registry.truth t WHERE t.facility_id = h.facility_id AND t.true_from <= at
    ORDER BY t.true_from DESC LIMIT 1
) t
WHERE facility IS NULL OR h.facility_id = facility
$$;
COMMENT ON FUNCTION analytics.status_as_of IS 'What was true at an instant by all that is known now, of every facility or of one; facilities of which nothing was known to be so then are missing. It follows what is shown within seconds: analytics.status_as_of_lag says how many facilities are being told anew.';
CREATE VIEW analytics.status_as_of_lag AS SELECT count(DISTINCT facility_id) AS facilities FROM registry.truth_due;
COMMENT ON VIEW analytics.status_as_of_lag IS 'How many facilities analytics.status_as_of does not yet tell by all that is known.';
