-- What was shown of each facility, and from when. It stands in `registry`: the log says what happened, not when this
-- database came to show it.
CREATE TABLE registry.belief (
    facility_id    uuid NOT NULL,
    known_from     timestamptz NOT NULL,
    shown          bool NOT NULL DEFAULT true,
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
    PRIMARY KEY (facility_id, known_from)
);
COMMENT ON TABLE registry.belief IS 'What the row of each facility said from known_from on, until the next row here. shown: false where an exchange of generations took the facility away.';
INSERT INTO registry.belief
SELECT facility_id, now(), true, code, name, prefecture, eligible, evidence, evidence_level, equipment, intent, opt_out,
       listing, freshness, flags
FROM projection.facility_row;

CREATE FUNCTION analytics.status_known_at(at timestamptz, facility uuid DEFAULT NULL)
RETURNS TABLE (
    facility_id uuid, known_from timestamptz, code text, name text, prefecture text, eligible text, evidence text,
    evidence_level text, equipment text, intent text, opt_out text, listing text, freshness text, flags text[]
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
SELECT b.facility_id, b.known_from, b.code, b.name, b.prefecture, b.eligible, b.evidence, b.evidence_level, b.equipment,
       b.intent, b.opt_out, b.listing, b.freshness, b.flags
FROM (
    SELECT f.facility_id FROM projection.facility_row f WHERE facility IS NULL OR f.facility_id = facility
    UNION
    SELECT g.facility_id FROM registry.belief g WHERE NOT g.shown AND (facility IS NULL OR g.facility_id = facility)
) f
CROSS JOIN LATERAL (
    SELECT * FROM registry.belief b WHERE b.facility_id = f.facility_id AND b.known_from <= at
    ORDER BY b.known_from DESC LIMIT 1
) b
WHERE b.shown
$$;
CREATE INDEX belief_gone ON registry.belief (facility_id) WHERE NOT shown;
COMMENT ON FUNCTION analytics.status_known_at IS 'What was shown at an instant, of every facility or of one: what we believed then, not what was true. Facilities that were not shown then are missing.';
