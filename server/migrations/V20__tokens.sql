-- A token could not be listed, and one that was sent to the wrong person could not be revoked.
ALTER TABLE registry.enrolment_token
    ADD COLUMN token_id uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,
    ADD COLUMN issued_by text,
    ADD COLUMN reason text,
    ADD COLUMN revoked_at timestamptz,
    ADD COLUMN revoked_by text,
    ADD COLUMN revoked_because text;
CREATE INDEX enrolment_token_of_facility ON registry.enrolment_token (facility_id);
COMMENT ON COLUMN registry.enrolment_token.token_id IS 'The name of the token in lists. It is not secret and enrols nothing.';
COMMENT ON COLUMN registry.enrolment_token.issued_by IS 'Who issued it; absent for tokens of before schema 20.';
COMMENT ON COLUMN registry.enrolment_token.reason IS 'What it was issued for.';
COMMENT ON COLUMN registry.enrolment_token.revoked_at IS 'Since when it enrols nothing any more, by the clock of a server.';
COMMENT ON COLUMN registry.enrolment_token.revoked_by IS 'Who revoked it.';
COMMENT ON COLUMN registry.enrolment_token.revoked_because IS 'Why.';
