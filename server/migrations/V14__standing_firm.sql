-- The partition of a facility's records follows from the number of partitions: where that number changes, newer records of a
-- facility stand in another partition than its older ones, and have no order with them.
DROP SCHEMA IF EXISTS shadow CASCADE;

ALTER TABLE projection.progress ADD COLUMN partitions int;
COMMENT ON COLUMN projection.progress.partitions IS 'How many partitions the topic had when this one was first read; null until a version that keeps it has read it.';

-- A terminal without patients is silent, and not incomplete: every half a minute it says up to where it has kept observations.
-- Not logged: after a crash of the database each terminal says so again within half a minute.
CREATE UNLOGGED TABLE registry.heard (
    terminal_id uuid PRIMARY KEY,
    life        uuid NOT NULL,
    last_kept   bigint NOT NULL,
    kept_until  timestamptz NOT NULL,
    heard_at    timestamptz NOT NULL
) WITH (fillfactor = 70);
COMMENT ON TABLE registry.heard IS 'What each connected and idle terminal said last.';
COMMENT ON COLUMN registry.heard.last_kept IS 'The highest number of an observation that the terminal had kept in this life.';
COMMENT ON COLUMN registry.heard.kept_until IS 'When the terminal said so, by its clock: up to here it had kept nothing else.';
COMMENT ON COLUMN registry.heard.heard_at IS 'When it was written here, by the database''s clock.';

CREATE OR REPLACE VIEW analytics.completeness AS
SELECT f.facility_id, t.terminal_id, l.life, l.current,
       CASE WHEN l.current AND l.missing IS NULL AND h.last_kept <= l.received_up_to
            THEN greatest(l.complete_up_to, h.kept_until) ELSE l.complete_up_to END AS complete_up_to,
       l.received_up_to, l.received,
       coalesce(l.missing, '[]') || coalesce(l.gaps, '[]')
       || CASE WHEN l.life IS NULL OR l.current OR l.farewell THEN '[]'
               ELSE jsonb_build_array(jsonb_build_object('what', 'no_farewell', 'from', l.last_observed_at)) END
       AS holes
FROM projection.facility f
CROSS JOIN LATERAL (
    SELECT (terminal->>'terminal')::uuid AS terminal_id FROM jsonb_array_elements(f.status->'terminals') AS terminal
) t
LEFT JOIN (
    SELECT facility_id, terminal_id, life,
           first_received_at = max(first_received_at) OVER (PARTITION BY facility_id, terminal_id) AS current,
           complete_up_to, received_up_to, received, missing, gaps, farewell, last_observed_at
    FROM (
        SELECT facility_id, terminal_id, life,
               min(received_at) AS first_received_at,
               max(seq) AS received_up_to,
               count(*) AS received,
               CASE WHEN max(seq) = count(*) THEN max(observed_at) FILTER (WHERE next IS NULL)
                    ELSE (array_agg(before_at ORDER BY seq) FILTER (WHERE seq > before + 1))[1] END AS complete_up_to,
               max(observed_at) FILTER (WHERE next IS NULL) AS last_observed_at,
               coalesce(bool_or(kind = 'agent_stopped') FILTER (WHERE next IS NULL), false) AS farewell,
               jsonb_agg(jsonb_build_object('what', 'missing', 'from_seq', before + 1, 'to_seq', seq - 1,
                                            'from', before_at, 'to', observed_at) ORDER BY seq)
                   FILTER (WHERE seq > before + 1) AS missing,
               jsonb_agg(jsonb_build_object('what', 'not_collected') || (event::jsonb->'collection_gap') ORDER BY seq)
                   FILTER (WHERE kind = 'collection_gap') AS gaps
        FROM (
            SELECT facility_id, terminal_id, life, seq, kind, observed_at, received_at, event,
                   lag(seq, 1, 0::bigint) OVER numbers AS before,
                   lag(observed_at) OVER numbers AS before_at,
                   lead(seq) OVER numbers AS next
            FROM projection.fact
            WHERE terminal_id IS NOT NULL
            WINDOW numbers AS (PARTITION BY facility_id, terminal_id, life ORDER BY seq)
        ) numbered
        GROUP BY facility_id, terminal_id, life
    ) lives
) l ON l.facility_id = f.facility_id AND l.terminal_id = t.terminal_id
LEFT JOIN registry.heard h ON h.terminal_id = t.terminal_id AND h.life = l.life;
COMMENT ON COLUMN analytics.completeness.complete_up_to IS 'All that the terminal observed in this life up to here has arrived, by the terminal''s clock: when the last observation before the first missing number was made or, where none is missing, when the terminal last said that it has kept no other. Absent where even the first is missing, or nothing is known.';

-- A terminal whose clock is hours slow sends facts that lie before the last head, each time: the history was then computed from
-- the facility's first fact on.
ALTER TABLE registry.status_history_head
    ADD COLUMN earlier_through timestamptz,
    ADD COLUMN earlier_state text,
    ADD CHECK ((earlier_through IS NULL) = (earlier_state IS NULL));
COMMENT ON COLUMN registry.status_history_head.earlier_through IS 'Another place to continue from, further back: for a facility of which facts arrived late.';
COMMENT ON COLUMN registry.status_history_head.earlier_state IS 'The state of the facility at earlier_through.';
