-- What the tokens of a workspace's day cost, at the prices of that moment, and how many of them were of
-- models without a price; `kioku usage` shows both.
ALTER TABLE token_use
    ADD COLUMN cost_usd numeric NOT NULL DEFAULT 0,
    ADD COLUMN unpriced bigint NOT NULL DEFAULT 0;

-- The trace of a message (W3C traceparent: random ids, no content), for the process that answers it and
-- the one that forms memories from it. NULL without KIOKU_TRACES_ENDPOINT.
ALTER TABLE inbox_events ADD COLUMN traceparent text;
ALTER TABLE turns ADD COLUMN traceparent text;
