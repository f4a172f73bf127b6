-- How much may be collected is looked up every second: few facilities have such a fact.
CREATE INDEX fact_collection_limited ON projection.fact (facility_id, log_offset DESC, place DESC)
    WHERE kind = 'collection_limited';
