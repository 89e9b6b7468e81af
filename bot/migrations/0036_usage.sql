-- How often a workspace called a model, beside the tokens; `kioku usage` shows both.
ALTER TABLE token_use ADD COLUMN calls int NOT NULL DEFAULT 0;
