-- The withdrawal of a retirement enrolled the terminal, also one that was suspended before.
ALTER TABLE registry.terminal ADD COLUMN retired_from text CHECK (retired_from IN ('enrolled', 'suspended'));
COMMENT ON COLUMN registry.terminal.retired_from IS 'The state before a retirement: what its withdrawal leads back to.';
