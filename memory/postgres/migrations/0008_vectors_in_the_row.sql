-- A vector of 1,536 dimensions is 6 kB and fits into a page with its row. Kept beside it, as
-- PostgreSQL would do from 2 kB on, each costs a search four more reads. Larger ones still are.
ALTER TABLE store_vectors SET (toast_tuple_target = 8160);
