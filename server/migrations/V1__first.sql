-- Two schemas: `registry` holds what only this database knows (tokens, leases); `projection` holds what follows from the
-- log and can be folded again from it.

CREATE SCHEMA registry;

CREATE TABLE registry.enrolment_token (
    hash        bytea PRIMARY KEY,
    facility_id uuid NOT NULL,
    issued_at   timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz,
    terminal_id uuid,
    key_hash    bytea
);
COMMENT ON TABLE registry.enrolment_token IS 'One-time tokens, by the SHA-256 of their secret. key_hash lets the same terminal ask again when the answer was lost.';

CREATE TABLE registry.lease (
    instance   uuid PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE registry.lease IS 'Server instances that take in terminals. When one expires, its terminals are no longer connected.';

CREATE SCHEMA projection;

CREATE TABLE projection.progress (
    partition   int PRIMARY KEY,
    next_offset bigint NOT NULL,
    folded_at   timestamptz,
    end_offset  bigint,
    checked_at  timestamptz
);
COMMENT ON TABLE projection.progress IS 'Written in the transaction of the facts themselves: the place in the log up to which this schema is true. end_offset is where the log ended when the projector last looked, at checked_at.';

CREATE TABLE projection.high_water (
    terminal_id uuid NOT NULL,
    life        uuid NOT NULL,
    seq         bigint NOT NULL,
    PRIMARY KEY (terminal_id, life)
);
COMMENT ON TABLE projection.high_water IS 'The last observation folded of each life: what is sent again is dropped by it.';

CREATE TABLE projection.fact (
    partition   int NOT NULL,
    log_offset  bigint NOT NULL,
    place       int NOT NULL,
    facility_id uuid NOT NULL,
    kind        text NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    terminal_id uuid,
    life        uuid,
    seq         bigint,
    origin      jsonb NOT NULL,
    event       jsonb NOT NULL,
    PRIMARY KEY (partition, log_offset, place)
);
CREATE INDEX fact_timeline ON projection.fact (facility_id, occurred_at DESC);
COMMENT ON TABLE projection.fact IS 'Every fact once, in the order of the log; place counts within one record of the log.';

CREATE TABLE projection.facility (
    facility_id      uuid PRIMARY KEY,
    partition        int NOT NULL,
    code             text,
    name             text NOT NULL,
    prefecture       text NOT NULL,
    search           text NOT NULL,
    eligible         text NOT NULL,
    evidence         text NOT NULL,
    evidence_level   text,
    first_success_at timestamptz,
    last_success_at  timestamptz,
    equipment        text NOT NULL,
    readers_present  int NOT NULL,
    intent           text NOT NULL,
    opt_out          text NOT NULL,
    listing          text NOT NULL,
    freshness        text NOT NULL,
    last_seen_at     timestamptz,
    flags            text[] NOT NULL,
    status           jsonb NOT NULL,
    state            jsonb NOT NULL,
    due_at           timestamptz,
    folded_at        timestamptz NOT NULL
);
CREATE INDEX facility_due ON projection.facility (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX facility_order ON projection.facility (prefecture, name, facility_id);
COMMENT ON TABLE projection.facility IS 'One row a facility: every axis as a word, the whole status with its reasons, and the state it was folded from.';

CREATE TABLE projection.facility_code (
    code        text NOT NULL,
    facility_id uuid NOT NULL,
    PRIMARY KEY (code, facility_id)
);

CREATE TABLE projection.connection (
    terminal_id  uuid PRIMARY KEY,
    facility_id  uuid NOT NULL,
    session      uuid NOT NULL,
    instance     uuid NOT NULL,
    connected_at timestamptz NOT NULL
);
COMMENT ON TABLE projection.connection IS 'Streams that are open as far as the log says, with the instance that has to close them.';

CREATE TABLE projection.parked (
    partition   int NOT NULL,
    log_offset  bigint NOT NULL,
    facility_id uuid NOT NULL,
    reason      text NOT NULL,
    record      bytea NOT NULL,
    parked_at   timestamptz NOT NULL,
    PRIMARY KEY (partition, log_offset)
);
CREATE INDEX parked_facility ON projection.parked (facility_id, partition, log_offset);
COMMENT ON TABLE projection.parked IS 'Records that could not be decoded or folded, and all later records of the same facility, in their order.';
