-- Whether the person shares the rated exchange with the admins. Its texts stay in `turns`.
ALTER TABLE feedback ADD COLUMN shared boolean NOT NULL DEFAULT false;

-- Texts for the sections of prompts that may change, by workspace: proposed by a model, approved by
-- an admin. Only its status changes; an edited text is another version. A NULL section is as built
-- in. `based_on` is the version that was in use, which a roll-back uses again; NULL: none. `cases`
-- are the turns that a proposal was made from.
CREATE TABLE prompt_versions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    team_id text NOT NULL,
    based_on uuid,
    style text,
    formation text,
    kind text NOT NULL,
    cases uuid[] NOT NULL,
    effect jsonb,
    status text NOT NULL DEFAULT 'proposed'
        CHECK (status IN ('proposed', 'active', 'replaced', 'rejected', 'refused', 'edited')),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX prompt_versions_active ON prompt_versions (team_id) WHERE status = 'active';
CREATE INDEX prompt_versions_team ON prompt_versions (team_id, created_at);
ALTER TABLE prompt_versions ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybodys_prompt_versions ON prompt_versions USING (true);

-- The changelog. `changed_by` is an admin's id in Slack, the operator of a command, or NULL once
-- that person was erased.
CREATE TABLE prompt_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team_id text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    version uuid NOT NULL,
    action text NOT NULL
        CHECK (action IN ('proposed', 'refused', 'edited', 'approved', 'rejected', 'rolled back')),
    changed_by text
);
CREATE INDEX prompt_changes_team ON prompt_changes (team_id, id);
ALTER TABLE prompt_changes ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybodys_prompt_changes ON prompt_changes USING (true);

-- The exchanges that are shared and not forgotten: all, of a workspace, or those behind a version.
CREATE FUNCTION shared_exchanges(team text, version uuid)
    RETURNS TABLE (
        team_id text, turn_id uuid, user_id text, given_at timestamptz, rating text, reasons text[],
        comment text, question text, reply text
    )
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
    AS $$
        SELECT f.team_id, f.turn_id, f.user_id, f.given_at, f.rating, f.reasons, f.comment,
            t.question, t.reply
        FROM feedback AS f JOIN turns AS t ON t.id = f.turn_id
        WHERE f.shared AND t.question <> '' AND t.reply IS NOT NULL
            AND (team IS NULL OR f.team_id = team)
            AND (version IS NULL OR f.turn_id IN (
                SELECT unnest(v.cases) FROM prompt_versions AS v
                WHERE v.id = version AND v.team_id = f.team_id
            ))
        ORDER BY f.given_at DESC, f.turn_id
    $$;
REVOKE ALL ON FUNCTION shared_exchanges FROM PUBLIC;
GRANT EXECUTE ON FUNCTION shared_exchanges TO kioku_app;
