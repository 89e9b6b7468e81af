-- What Kioku adds to procrastinate's own tables: who may use them, and an index.

-- kioku_queue may use the queue's tables, as kioku_app may: the login inherits it, because
-- procrastinate sets no role.
GRANT SELECT, INSERT, UPDATE, DELETE ON procrastinate_jobs, procrastinate_events,
    procrastinate_periodic_defers, procrastinate_workers TO kioku_queue, kioku_app;
GRANT USAGE, SELECT ON SEQUENCE procrastinate_jobs_id_seq, procrastinate_events_id_seq,
    procrastinate_periodic_defers_id_seq, procrastinate_workers_id_seq TO kioku_queue, kioku_app;

-- A job waits for others of its lock; without the index each fetch reads all waiting jobs.
CREATE INDEX procrastinate_jobs_lock ON procrastinate_jobs (lock) WHERE status IN ('todo', 'doing');
-- The table is empty most of the time and full within minutes after an outage.
ALTER TABLE procrastinate_jobs SET (
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 500,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500
);
