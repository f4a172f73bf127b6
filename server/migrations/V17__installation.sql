-- Two installations that prepared one topic before its first record merged unnoticed. Each database knows its installation.
CREATE TABLE registry.installation (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    id       uuid NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO registry.installation DEFAULT VALUES;
COMMENT ON TABLE registry.installation IS 'The installation that this database belongs to. Its topic holds the same identifier.';
COMMENT ON COLUMN registry.installation.id IS 'Made by the first migrate, or taken from the topic by migrate --existing-log.';
