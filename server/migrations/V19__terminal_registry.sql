-- Who may speak was read out of a facility's projected state, and an open stream was never asked again. The registry has one
-- row a terminal, written with each statement about it and again when the statement is folded.
CREATE TABLE registry.terminal (
    terminal_id  uuid PRIMARY KEY,
    facility_id  uuid NOT NULL,
    state        text NOT NULL CHECK (state IN ('enrolled', 'suspended', 'revoked', 'retired')),
    enrolled_at  timestamptz,
    changed_at   timestamptz NOT NULL,
    changed_by   text NOT NULL,
    reason       text,
    statement_id uuid,
    log_offset   bigint NOT NULL
);
CREATE INDEX terminal_of_facility ON registry.terminal (facility_id);
CREATE INDEX terminal_refused ON registry.terminal (terminal_id) WHERE state <> 'enrolled';
COMMENT ON TABLE registry.terminal IS 'Every terminal and whether it may send: the one place that says so.';
COMMENT ON COLUMN registry.terminal.terminal_id IS 'The identifier in its certificate.';
COMMENT ON COLUMN registry.terminal.facility_id IS 'The facility that it was enrolled for.';
COMMENT ON COLUMN registry.terminal.state IS 'enrolled: it may send. suspended: it may not, until it is resumed. revoked: its certificate is not accepted any more. retired: it is no longer used.';
COMMENT ON COLUMN registry.terminal.enrolled_at IS 'When it was enrolled first, by the clock of a server; absent if that is not known.';
COMMENT ON COLUMN registry.terminal.changed_at IS 'Since when it has this state, by the clock of a server.';
COMMENT ON COLUMN registry.terminal.changed_by IS 'Who stated it.';
COMMENT ON COLUMN registry.terminal.reason IS 'Why.';
COMMENT ON COLUMN registry.terminal.statement_id IS 'The statement by which it has this state.';
COMMENT ON COLUMN registry.terminal.log_offset IS 'Where the log has that statement, in the partition of the facility.';

-- The facts there are, in the order of the log.
WITH stated AS (
    SELECT facility_id, kind, log_offset, origin::jsonb->'person' AS person, (event::jsonb->kind->>'terminal')::uuid AS terminal_id
    FROM projection.fact f
    WHERE kind IN ('terminal_enrolled', 'terminal_retired') AND NOT EXISTS (
        SELECT FROM projection.fact w WHERE w.facility_id = f.facility_id AND w.kind = 'statement_withdrawn'
        AND w.event::jsonb->w.kind->>'statement' = f.origin::jsonb->'person'->>'id')
)
INSERT INTO registry.terminal (terminal_id, facility_id, state, enrolled_at, changed_at, changed_by, reason, statement_id, log_offset)
SELECT DISTINCT ON (terminal_id) terminal_id, facility_id, CASE kind WHEN 'terminal_retired' THEN 'retired' ELSE 'enrolled' END,
       (SELECT min((first.person->>'stated_at')::timestamptz) FROM stated first
        WHERE first.terminal_id = stated.terminal_id AND first.kind = 'terminal_enrolled'),
       (person->>'stated_at')::timestamptz, person->>'by', person->>'why', (person->>'id')::uuid, log_offset
FROM stated WHERE person IS NOT NULL
ORDER BY terminal_id, log_offset DESC;
