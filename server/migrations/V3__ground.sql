-- The rules and closures that a row follows from. Rows of another ground are folded anew from their facts; 0 is none.
ALTER TABLE projection.facility ADD COLUMN ground bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN projection.facility.ground IS 'The number of the rules and closures by which the row was folded. Where it is not that of the rules in force, the row is about to be folded anew.';
