-- What waits can be asked to be folded again, and a record can be left out for good.
ALTER TABLE projection.parked
    ADD COLUMN asked_at timestamptz,
    ADD COLUMN tried_at timestamptz;
CREATE INDEX parked_asked ON projection.parked (partition, facility_id) WHERE asked_at IS NOT NULL;
COMMENT ON COLUMN projection.parked.asked_at IS 'When somebody asked that the facility''s records be folded again; the projector is about to do so.';
COMMENT ON COLUMN projection.parked.tried_at IS 'When that was last done in vain.';

-- Few facts among many: a rebuild and a newer program leave out what people left out.
CREATE INDEX fact_record_skipped ON projection.fact (facility_id) WHERE kind = 'record_skipped';
