-- Which memories were in view of a reply: a forgotten one takes the replies that name it along.
ALTER TABLE turns ADD COLUMN recalled text[] NOT NULL DEFAULT '{}';
