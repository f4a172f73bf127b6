-- The history of a terminal that was first heard after a checkpoint lacked what it had reported until the next checkpoint, and a
-- facility could lose its name before its registration. Checkpoints of another fold are not used: every history is computed again.
UPDATE registry.status_history_head SET fold = 0;
