-- What a model's tools have changed while they answered a message, until the person has been shown it
-- with its Undo: settings before and after, and ids. No text.
ALTER TABLE turns ADD COLUMN tool_done jsonb;
