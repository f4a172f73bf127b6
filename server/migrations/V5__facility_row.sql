-- A facility's row is written with every batch that says something of it: status and state are text that we wrote
-- ourselves, so that PostgreSQL need not take them apart each time. Whoever reads them has them parsed by the view.
ALTER TABLE projection.facility RENAME TO facility_row;
-- What the list is matched by stands in columns: nobody should take every state apart for it.
ALTER TABLE projection.facility_row ADD COLUMN address text, ADD COLUMN held_codes text NOT NULL DEFAULT '[]';
UPDATE projection.facility_row SET
    address = state->'identity'->>'address',
    held_codes = coalesce((state->'identity'->'codes')::text, '[]');
COMMENT ON COLUMN projection.facility_row.held_codes IS 'Every code that the facility has or had, with from and until, as JSON.';
ALTER TABLE projection.facility_row
    ALTER COLUMN status TYPE text USING status::text,
    ALTER COLUMN state TYPE text USING state::text;
COMMENT ON TABLE projection.facility_row IS 'What the projector writes; read it as projection.facility.';

-- A PostgreSQL that was built without lz4 goes on with its own, slower compression.
DO $$
BEGIN
    ALTER TABLE projection.facility_row
        ALTER COLUMN status SET COMPRESSION lz4,
        ALTER COLUMN state SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    NULL;
END
$$;

CREATE VIEW projection.facility AS
SELECT facility_id, partition, code, name, prefecture, search, eligible, evidence, evidence_level, first_success_at,
       last_success_at, equipment, readers_present, intent, opt_out, listing, freshness, last_seen_at, flags,
       status::jsonb AS status, state::jsonb AS state, due_at, folded_at, ground, address, held_codes::jsonb AS held_codes
FROM projection.facility_row;
COMMENT ON VIEW projection.facility IS 'One row a facility: every axis as a word, the whole status with its reasons, and the state it was folded from.';
