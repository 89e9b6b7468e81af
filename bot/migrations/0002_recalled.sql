-- Which memories were in view of a reply: a forgotten one takes the replies that name it along.
ALTER TABLE turns ADD COLUMN recalled text[] NOT NULL DEFAULT '{}';
-- The person was asked whether to forget what the message names: its words remove nothing.
ALTER TABLE turns ADD COLUMN asked boolean NOT NULL DEFAULT false;
