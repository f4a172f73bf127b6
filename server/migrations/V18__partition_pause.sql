-- A partition that is paused because its log is another one than was folded was named in one server's log only. Every server
-- reads here why a partition is paused, and says so in /healthz.
CREATE TABLE registry.partition_pause (
    partition int PRIMARY KEY,
    reason    text NOT NULL,
    differs   boolean NOT NULL,
    since     timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE registry.partition_pause IS 'The partitions of the log that are not folded at present, and why.';
COMMENT ON COLUMN registry.partition_pause.partition IS 'The number of the partition.';
COMMENT ON COLUMN registry.partition_pause.reason IS 'What the comparison with the folded records found, in English.';
COMMENT ON COLUMN registry.partition_pause.differs IS 'Whether the log is another one than was folded: a person has to act. Otherwise it could not be read.';
COMMENT ON COLUMN registry.partition_pause.since IS 'When it was paused for this reason, by the clock of the database.';
