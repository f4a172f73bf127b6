-- Facts are what is written most. What a terminal observed stands in columns, once; what was said, and the origin of all
-- else, is text that we wrote ourselves: it is parsed by whoever reads it, not by whoever writes it.
ALTER TABLE projection.fact
    ADD COLUMN observed_at timestamptz,
    ADD COLUMN sent_at timestamptz,
    ALTER COLUMN origin DROP NOT NULL;
UPDATE projection.fact SET
    observed_at = (origin->'terminal'->>'observed_at')::timestamptz,
    sent_at = (origin->'terminal'->>'sent_at')::timestamptz,
    origin = NULL
WHERE terminal_id IS NOT NULL;
ALTER TABLE projection.fact
    ALTER COLUMN origin TYPE text USING origin::text,
    ALTER COLUMN event TYPE text USING event::text;
COMMENT ON COLUMN projection.fact.origin IS 'Who says so, as JSON; absent where it was a terminal, whose columns say it all.';
COMMENT ON COLUMN projection.fact.event IS 'What happened, as JSON. analytics.fact has it parsed.';

CREATE SCHEMA analytics;
COMMENT ON SCHEMA analytics IS 'Stable names for analysts.';
CREATE VIEW analytics.fact AS
SELECT partition, log_offset, place, facility_id, kind, occurred_at, observed_at, sent_at, received_at,
       terminal_id, life, seq, origin::jsonb AS origin,
       (origin::jsonb)->'person'->>'by' AS said_by, (origin::jsonb)->'person'->>'why' AS said_why,
       event::jsonb->kind AS event
FROM projection.fact;
COMMENT ON VIEW analytics.fact IS 'Every fact once. partition, log_offset and place give the order of the log.';
COMMENT ON COLUMN analytics.fact.occurred_at IS 'By the clock of whoever says so.';
COMMENT ON COLUMN analytics.fact.observed_at IS 'By the terminal''s clock; later than occurred_at where the agent found it afterwards. Absent where no terminal says so.';
COMMENT ON COLUMN analytics.fact.sent_at IS 'By the terminal''s clock, when it was sent.';
COMMENT ON COLUMN analytics.fact.received_at IS 'By the server''s clock.';
COMMENT ON COLUMN analytics.fact.seq IS 'Gapless within a life; (terminal_id, life, seq) is the identity of an observation.';
COMMENT ON COLUMN analytics.fact.origin IS 'Who says so, where it was no terminal.';
COMMENT ON COLUMN analytics.fact.event IS 'The fields of this kind of event; `yomitori-server explain --help` lists them.';
