-- Up to when all is there that a terminal observed. It claims what the numbers of the observations say, and nothing else.
CREATE VIEW analytics.completeness AS
SELECT f.facility_id, t.terminal_id, l.life, l.current, l.complete_up_to, l.received_up_to, l.received,
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
) l ON l.facility_id = f.facility_id AND l.terminal_id = t.terminal_id;
COMMENT ON VIEW analytics.completeness IS 'One row a life of a terminal: up to when nothing of it is missing here, and what is. A life is one spool; within it observations are numbered from 1 without a gap. A terminal that never sent anything has one row without a life: of it nothing is known.';
COMMENT ON COLUMN analytics.completeness.life IS 'Absent where the terminal never sent anything.';
COMMENT ON COLUMN analytics.completeness.current IS 'The life that the log named last: what the terminal still sends belongs to it.';
COMMENT ON COLUMN analytics.completeness.complete_up_to IS 'All that the terminal observed in this life up to here has arrived: when the last observation before the first missing number was made, by the terminal''s clock. Absent where even the first is missing, or nothing is known.';
COMMENT ON COLUMN analytics.completeness.received_up_to IS 'The highest number that has arrived.';
COMMENT ON COLUMN analytics.completeness.received IS 'How many observations have arrived; as many as received_up_to where none is missing.';
COMMENT ON COLUMN analytics.completeness.holes IS 'What is missing: numbers that never arrived (missing, between two observations), what the agent says it could not collect or had to drop (not_collected, [from, to) with its source and how many where that is known), and that the life ended without a farewell (no_farewell: whether anything came after its last observation is not known).';
