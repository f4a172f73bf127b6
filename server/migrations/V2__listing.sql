-- The ministry's list as it was received, snapshot by snapshot. It stands in `registry`, as it can't be folded again from
-- the log: the log holds only what each snapshot said of the facilities that are watched.

CREATE TABLE registry.snapshot (
    snapshot_id  uuid PRIMARY KEY,
    source       text NOT NULL,
    coverage     text NOT NULL,
    as_of        timestamptz NOT NULL,
    sha256       text NOT NULL,
    format       text NOT NULL,
    sheets       text[] NOT NULL,
    row_count    int NOT NULL,
    imported_at  timestamptz NOT NULL,
    imported_by  text NOT NULL,
    why          text,
    rows_before  int,
    released_at  timestamptz,
    released_by  text,
    released_why text,
    applied_at   timestamptz
);
CREATE INDEX snapshot_kind ON registry.snapshot (source, coverage, as_of);
COMMENT ON TABLE registry.snapshot IS 'Every imported state of the ministry''s list. rows_before is set where it has far fewer rows than the one before: it is in quarantine until it is released. applied_at: every facility it covers has been told through the log.';

CREATE TABLE registry.snapshot_row (
    snapshot_id uuid NOT NULL REFERENCES registry.snapshot,
    place       int NOT NULL,
    sheet       int2 NOT NULL,
    row         int NOT NULL,
    code        text NOT NULL,
    name        text NOT NULL,
    address     text,
    facility_id uuid,
    retired     bool NOT NULL,
    PRIMARY KEY (snapshot_id, place)
);
CREATE INDEX snapshot_row_facility ON registry.snapshot_row (facility_id) WHERE facility_id IS NOT NULL;
COMMENT ON TABLE registry.snapshot_row IS 'One code of one row. facility_id is the facility that has the code; retired: it had it and has it no longer.';

CREATE TABLE registry.snapshot_suggestion (
    snapshot_id uuid NOT NULL,
    place       int NOT NULL,
    rank        int2 NOT NULL,
    facility_id uuid NOT NULL,
    reasons     text[] NOT NULL,
    PRIMARY KEY (snapshot_id, place, rank),
    FOREIGN KEY (snapshot_id, place) REFERENCES registry.snapshot_row
);
COMMENT ON TABLE registry.snapshot_suggestion IS 'Whose a row without a facility may be; a person decides.';

CREATE TABLE registry.snapshot_told (
    snapshot_id uuid NOT NULL REFERENCES registry.snapshot,
    part        bigint GENERATED ALWAYS AS IDENTITY,
    facilities  uuid[] NOT NULL,
    codes       text[] NOT NULL,
    PRIMARY KEY (snapshot_id, part)
);
COMMENT ON TABLE registry.snapshot_told IS 'Which facilities have been told of the snapshot, many a row: what an interrupted import need not say again. An empty code tells absence.';
