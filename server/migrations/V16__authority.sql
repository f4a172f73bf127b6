-- A server that found no certificate authority made another one, which no terminal trusts. The database knows which one is theirs.
CREATE TABLE registry.authority (
    only_one    boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    fingerprint text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE registry.authority IS 'The certificate authority that the terminals trust. A server with another one does not start.';
COMMENT ON COLUMN registry.authority.fingerprint IS 'SHA-256 of its certificate, in hexadecimal.';
COMMENT ON COLUMN registry.authority.recorded_at IS 'When migrate recorded it, by the database''s clock.';
