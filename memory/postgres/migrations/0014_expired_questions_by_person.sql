-- People with questions that were not answered in time. Each one's are deleted in a transaction of that
-- person. Runs as the owner and returns ids. Processes of the version before still call
-- delete_expired_questions().
CREATE FUNCTION people_with_expired_questions(most int)
    RETURNS TABLE (team_id text, user_id text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
    AS $$
        SELECT DISTINCT question.team_id, question.user_id FROM memory_questions AS question
        WHERE question.expires_at < now() LIMIT most
    $$;
REVOKE ALL ON FUNCTION people_with_expired_questions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION people_with_expired_questions TO kioku_app;
