-- What has arrived of a terminal, and what is missing, was counted from all facts of a facility at each look: after years, a
-- page took seconds. It is kept as the facts are folded.
DROP SCHEMA IF EXISTS shadow CASCADE;

CREATE TABLE projection.life_gap (
    terminal_id uuid NOT NULL,
    life        uuid NOT NULL,
    seq         bigint NOT NULL,
    what        text NOT NULL,
    hole        jsonb NOT NULL,
    PRIMARY KEY (terminal_id, life, seq, what)
);
COMMENT ON TABLE projection.life_gap IS 'What is missing in each life of a terminal: numbers that never arrived before the observation seq, and what the agent reported with it that it could not collect.';

ALTER TABLE projection.high_water RENAME TO life;
ALTER TABLE projection.life
    ADD COLUMN facility_id uuid,
    ADD COLUMN observed_at timestamptz,
    ADD COLUMN received bigint,
    ADD COLUMN first_received_at timestamptz,
    ADD COLUMN complete_up_to timestamptz,
    ADD COLUMN stopped boolean;
COMMENT ON TABLE projection.life IS 'What has arrived of each life of a terminal. By seq, the highest number, what is sent again is recognised and dropped.';
COMMENT ON COLUMN projection.life.observed_at IS 'When the observation seq was made, by the terminal''s clock.';
COMMENT ON COLUMN projection.life.received IS 'How many different numbers arrived.';
COMMENT ON COLUMN projection.life.first_received_at IS 'When the first of them arrived, by the server''s clock. The life of a terminal that began to arrive last is its present one.';
COMMENT ON COLUMN projection.life.complete_up_to IS 'When the last observation before the first missing number was made, by the terminal''s clock; null if already the first is missing.';
COMMENT ON COLUMN projection.life.stopped IS 'Whether the observation seq is the notice of a shutdown.';

-- For what was folded up to now; a number that was used twice counts once.
WITH numbered AS (
    SELECT terminal_id, life, facility_id, seq, kind, observed_at, event,
           min(received_at) OVER (PARTITION BY terminal_id, life) AS first_received_at,
           count(*) OVER (PARTITION BY terminal_id, life) AS received,
           lag(seq, 1, 0::bigint) OVER numbers AS before,
           lag(observed_at) OVER numbers AS before_at,
           lead(seq) OVER numbers AS next
    FROM (
        SELECT DISTINCT ON (terminal_id, life, seq)
               terminal_id, life, facility_id, seq, kind, observed_at, received_at, event
        FROM projection.fact WHERE terminal_id IS NOT NULL
        ORDER BY terminal_id, life, seq, partition, log_offset, index_in_record
    ) once
    WINDOW numbers AS (PARTITION BY terminal_id, life ORDER BY seq)
), gaps AS (
    INSERT INTO projection.life_gap (terminal_id, life, seq, what, hole)
    SELECT terminal_id, life, seq, 'missing',
           jsonb_build_object('what', 'missing', 'from_seq', before + 1, 'to_seq', seq - 1,
                              'from', before_at, 'to', observed_at)
    FROM numbered WHERE seq > before + 1
    UNION ALL
    SELECT terminal_id, life, seq, 'not_collected',
           jsonb_build_object('what', 'not_collected') || (event::jsonb->'collection_gap')
    FROM numbered WHERE kind = 'collection_gap'
), first_hole AS (
    SELECT DISTINCT ON (terminal_id, life) terminal_id, life, before_at
    FROM numbered WHERE seq > before + 1 ORDER BY terminal_id, life, seq
)
UPDATE projection.life l
SET facility_id = n.facility_id, observed_at = n.observed_at, received = n.received,
    first_received_at = n.first_received_at, stopped = n.kind = 'agent_stopped',
    complete_up_to = CASE WHEN n.received = n.seq THEN n.observed_at
        ELSE (SELECT before_at FROM first_hole h WHERE h.terminal_id = l.terminal_id AND h.life = l.life) END
FROM numbered n
WHERE n.next IS NULL AND n.terminal_id = l.terminal_id AND n.life = l.life;

-- A life without a fact would be one whose facts a person removed by hand: its numbers can't be told.
DELETE FROM projection.life WHERE facility_id IS NULL;
ALTER TABLE projection.life
    ALTER COLUMN facility_id SET NOT NULL,
    ALTER COLUMN observed_at SET NOT NULL,
    ALTER COLUMN received SET NOT NULL,
    ALTER COLUMN first_received_at SET NOT NULL,
    ALTER COLUMN stopped SET NOT NULL;

CREATE OR REPLACE VIEW analytics.completeness AS
SELECT f.facility_id, t.terminal_id, l.life, l.current,
       CASE WHEN l.current AND l.received = l.seq AND h.last_kept <= l.seq
            THEN greatest(l.complete_up_to, h.kept_until) ELSE l.complete_up_to END AS complete_up_to,
       l.seq AS received_up_to, l.received,
       coalesce(g.holes, '[]')
       || CASE WHEN l.life IS NULL OR l.current OR l.stopped THEN '[]'
               ELSE jsonb_build_array(jsonb_build_object('what', 'no_farewell', 'from', l.observed_at)) END
       AS holes
FROM projection.facility f
CROSS JOIN LATERAL (
    SELECT (terminal->>'terminal')::uuid AS terminal_id FROM jsonb_array_elements(f.status->'terminals') AS terminal
) t
LEFT JOIN LATERAL (
    SELECT *, first_received_at = max(first_received_at) OVER () AS current
    FROM projection.life WHERE terminal_id = t.terminal_id AND facility_id = f.facility_id
) l ON true
LEFT JOIN LATERAL (
    SELECT jsonb_agg(hole ORDER BY what, seq) AS holes
    FROM projection.life_gap WHERE terminal_id = l.terminal_id AND life = l.life
) g ON true
LEFT JOIN registry.heard h ON h.terminal_id = t.terminal_id AND h.life = l.life;
