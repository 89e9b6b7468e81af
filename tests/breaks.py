"""One-line breaks of what Kioku promises, and the tests that must notice each.

``python -m tests.mutants`` applies them one at a time to a copy of the source tree.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Break:
    """`old` stands exactly once in `file`; with `new` in its place one of `tests` must fail.

    `tests` are files, or test functions as ``FILE::FUNCTION``.
    """

    name: str
    file: str
    old: str
    new: str
    why: str
    tests: tuple[str, ...]


BREAKS = (
    # --- whose memory -------------------------------------------------------------------------
    Break(
        "namespace id check",
        "memory/namespace.py",
        "if not isinstance(value, str) or not _ID.match(value):",
        "if not isinstance(value, str):",
        "An id with a dot or a wildcard would reach into another person's namespace.",
        ("tests/unit/test_namespace.py",),
    ),
    Break(
        "view of a public channel",
        "memory/namespace.py",
        "return View(own=own, audiences=(PUBLIC,))",
        "return View(own=own, audiences=None)",
        "What was told in a direct message would be shown to a whole channel.",
        ("tests/unit/test_namespace.py",),
    ),
    Break(
        "view of a Slack Connect channel",
        "memory/namespace.py",
        "(own.audience,) if shared else (PUBLIC, own.audience)",
        "(PUBLIC, own.audience)",
        "What was told inside the company would be shown to another company.",
        ("tests/unit/test_namespace.py",),
    ),
    Break(
        "kind of a shared channel",
        "bot/audience.py",
        'if channel.get("is_ext_shared") or channel.get("is_pending_ext_shared"):',
        'if channel.get("is_pending_ext_shared"):',
        "A channel shared with another company would count as an inner one.",
        ("tests/integration/test_conversation_kinds.py::test_kind_of",),
    ),
    Break(
        "prefix range bound",
        "memory/memories.py",
        '"high": f"{person.prefix}/"}',
        '"high": f"{person.prefix}~"}',
        "The range of U1 would hold the memories of U12.",
        ("tests/unit/test_memory_words.py::test_the_range_of_a_person_is_theirs_alone",),
    ),
    Break(
        "row-level security of memories",
        "memory/migrations/0001_people.sql",
        "ALTER TABLE store ENABLE ROW LEVEL SECURITY;",
        "",
        "A query that forgets its WHERE would return everybody's memories.",
        ("tests/security/test_two_roles.py",),
    ),
    Break(
        "row-level security of turns",
        "bot/migrations/0001_conversations.sql",
        "ALTER TABLE turns ENABLE ROW LEVEL SECURITY;",
        "",
        "A query that forgets its WHERE would return everybody's conversations.",
        ("tests/security/test_two_roles.py",),
    ),
    Break(
        "role of the pool",
        "memory/database.py",
        'await connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(APP_ROLE)))',
        "",
        "The application would act as the owner, whom row-level security does not bind.",
        (
            "tests/security/test_two_roles.py::test_the_application_changes_no_schema",
            "tests/security/test_two_roles.py::test_the_pool_acts_as_the_application",
        ),
    ),
    Break(
        "scope of one transaction",
        "memory/database.py",
        "set_config(%s, %s, true)",
        "set_config(%s, %s, false)",
        "The next user of the pooled connection would act as the person before.",
        (
            "tests/security/test_two_roles.py::test_without_a_scope_nothing_is_seen",
            "tests/security/test_two_roles.py::test_a_crooked_scope_sees_nobody",
            "tests/security/test_two_roles.py::test_the_scope_ends_with_its_transaction",
            "tests/security/test_two_roles.py::test_scopes_of_people_at_once_do_not_mix",
        ),
    ),
    # --- the database -------------------------------------------------------------------------
    Break(
        "lock of the migration",
        "memory/database.py",
        '.fetchall()[0]["taken"]:',
        '.fetchall()[0]["taken"] and False:',
        "Two replicas that start at once would both create the tables.",
        ("tests/integration/test_database.py::test_eight_at_once_migrate_once",),
    ),
    Break(
        "stored embedding space",
        "memory/database.py",
        "if stored != space:",
        "if stored.model != space.model:",
        "Vectors of another size would be compared with the stored ones.",
        ("tests/integration/test_database.py::test_another_embedding_is_refused",),
    ),
    Break(
        "dimensions of an answer",
        "memory/embeddings.py",
        "any(len(v) != self.space.dimensions for v in vectors)",
        "False",
        "A vector of another size would fail inside PostgreSQL, in the middle of a turn.",
        ("tests/integration/test_embeddings.py::test_vectors_of_another_size_are_refused",),
    ),
    Break(
        "forgetting",
        "memory/forgetting.py",
        '"DELETE FROM store WHERE prefix = %s AND key = %s"',
        '"SELECT FROM store WHERE prefix = %s AND key = %s"',
        "A memory that was reported as forgotten would still be there, its vector too.",
        ("tests/integration/test_forgetting.py::test_rows_and_vectors_are_gone",),
    ),
    Break(
        "a request to forget waits for its click",
        "memory/retractions.py",
        "        if message.words.asked:",
        "        if False:",
        "Formation would forget what the person was only asked about.",
        (
            "tests/integration/test_forgetting.py"
            "::test_words_about_which_the_person_was_asked_remove_nothing",
        ),
    ),
    Break(
        "a tool ends no memory",
        "memory/tools.py",
        'if action != "delete" and ends:',
        "if False:",
        "A model could remove a memory without a click, by a score of 0.",
        ("tests/integration/test_tools.py::test_bad_arguments_change_nothing",),
    ),
    Break(
        "one run of a data directory",
        "memory/embedded/server.py",
        "if not self._run_lock.acquire():",
        "if False:",
        "A second `kioku up` would take the first one's PostgreSQL down with it.",
        (
            "tests/integration/test_embedded.py::test_a_second_run_on_the_same_directory_is_told_which_process_has_it",
        ),
    ),
    # --- what may be remembered ---------------------------------------------------------------
    Break(
        "evidence is whole clauses",
        "memory/clauses.py",
        "if position in self._starts and end in self._ends:",
        "if position >= 0:",
        "Half a sentence could be quoted for the opposite of what it says.",
        ("tests/unit/test_guard.py::test_hostile_turns_are_refused",),
    ),
    Break(
        "evidence is a statement",
        "memory/guard.py",
        "    if all(asks(clause) for clause in inside):",
        "    if not inside:",
        "A question about something would be remembered as a liking for it.",
        ("tests/unit/test_guard.py::test_hostile_turns_are_refused",),
    ),
    Break(
        "secrets",
        "memory/reading.py",
        "    if holds_secret(text):",
        "    if not text:",
        "A password told in passing would be kept, and repeated.",
        ("tests/unit/test_guard.py::test_hostile_turns_are_refused",),
    ),
    Break(
        "instructions",
        "memory/reading.py",
        "    if instructs(text):",
        "    if not text:",
        "An instruction posing as a fact would steer every later answer.",
        ("tests/unit/test_guard.py::test_hostile_turns_are_refused",),
    ),
    Break(
        "a removal needs words",
        "memory/wishes.py",
        "if not any(retraction(name, said) for name in names):",
        "if not names:",
        "The model could remove memories that nobody took back.",
        ("tests/integration/test_formation.py::test_no_quote_no_row",),
    ),
    Break(
        "three removals at most",
        "memory/wishes.py",
        "if removals > MAX_REMOVALS:",
        "if removals > MAX_REMOVALS + 1:",
        "One message could empty a person's memory.",
        ("tests/integration/test_formation.py::test_three_removals_at_most",),
    ),
    Break(
        "lock of a formation",
        "memory/user_store.py",
        '"SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"',
        '"SELECT hashtextextended(%s, 0)"',
        "Two runs at once would remember the same thing twice, or lose a change.",
        (
            "tests/integration/test_formation.py::test_in_commit_runs_without_memories",
            "tests/integration/test_formation.py::test_two_runs_at_once",
            "tests/integration/test_formation.py::test_runs_wait_for_each_other",
        ),
    ),
    Break(
        "an update keeps its key",
        "memory/settlement.py",
        "            self._merge(wish, row.key)",
        "            self._merge(wish, str(uuid.uuid4()))",
        "A change of mind would stand beside what it replaced.",
        ("tests/integration/test_formation.py::test_the_food_story",),
    ),
    Break(
        "formed words are marked in the same transaction",
        "memory/user_store.py",
        "                    if in_commit is not None:",
        "                    if in_commit is None:",
        "Words would be formed again and again, or marked without being formed.",
        (
            "tests/integration/test_formation.py::test_in_commit_shares_the_transaction",
            "tests/integration/test_formation.py::test_in_commit_runs_without_memories",
        ),
    ),
    Break(
        "nothing to remember",
        "memory/formation.py",
        'kwargs["tool_choice"] = "auto"',
        'kwargs["tool_choice"] = "any"',
        'The model would have to write something about "ok thanks".',
        ("tests/integration/test_formation.py::test_ok_thanks_writes_nothing",),
    ),
    Break(
        "one request for an outage",
        "memory/formation.py",
        "class _ModelDown(BaseException):",
        "class _ModelDown(Exception):",
        "trustcall would ask a model that is down 25 times.",
        (
            "tests/integration/test_formation.py::test_an_outage_costs_one_request",
            "tests/integration/test_formation.py::test_nobody_listens",
            "tests/integration/test_formation.py::test_an_outage_during_a_repair",
        ),
    ),
    # --- the door -----------------------------------------------------------------------------
    Break(
        "signature",
        "bot/web.py",
        "if not is_signed(verifier, body, dict(request.headers)):",
        "if not request.headers:",
        "Anybody could speak in anybody's name.",
        ("tests/e2e/test_door.py::test_line_6_a_wrong_signature_is_refused",),
    ),
    Break(
        "timestamp that is no number",
        "bot/web.py",
        "    except (ValueError, TypeError):",
        "    except KeyError:",
        "A malformed header would be a fault of the server instead of a refusal.",
        (
            "tests/e2e/test_door.py::test_line_6_a_timestamp_out_of_time_is_refused",
            "tests/e2e/test_door.py::test_line_6_a_missing_header_is_refused",
        ),
    ),
    Break(
        "store before ack",
        "bot/listeners/events.py",
        "                await inbox.store(message)",
        '                __import__("asyncio").ensure_future(inbox.store(message))',
        "A message would be lost when the database is away: Slack believes it was taken.",
        (
            "tests/e2e/test_database_faults.py::test_line_5_a_message_during_an_outage_is_answered_after_it",
        ),
    ),
    Break(
        "one message, two events",
        "bot/migrations/0001_conversations.sql",
        "    UNIQUE (team_id, event_id),\n    UNIQUE (team_id, channel_id, ts)",
        "    UNIQUE (team_id, event_id)",
        "A mention arrives as message and as app_mention, and would be answered twice.",
        ("tests/integration/test_inbox.py::test_a_message_in_two_events_is_stored_once",),
    ),
    Break(
        "a job in its transaction",
        "bot/queue.py",
        "name, queue=queue, connection=connection, lock=lock,",
        "name, queue=queue, lock=lock,",
        "A message would be stored without its job, or worked on before it is stored.",
        ("tests/integration/test_queue.py::test_a_job_lives_and_dies_with_its_transaction",),
    ),
    Break(
        "the end of a job is noted",
        "bot/queue.py",
        "                away = isinstance(error.__cause__, OperationalError)",
        "                away = False",
        "A connection lost as a job ends would leave its thread locked for good.",
        (
            "tests/integration/test_queue.py"
            "::test_a_job_whose_end_cannot_be_noted_at_once_frees_its_lock",
        ),
    ),
    Break(
        "one job per thread",
        "bot/inbox.py",
        'lock=f"{REPLIES}:{message.thread}"',
        'lock=f"{REPLIES}:{message.ts}"',
        "Two workers would answer the same message at the same time.",
        (
            "tests/integration/test_turn.py::test_a_thread_is_answered_in_order",
            "tests/integration/test_inbox.py::test_a_message_is_stored_with_its_job",
        ),
    ),
    Break(
        "the fence while answering",
        "bot/inbox.py",
        "        _check_attempt(row, waiting)\n        return",
        "        return",
        "A worker believed dead would write on beside the one that took over.",
        (
            "tests/integration/test_turn.py"
            "::test_a_worker_that_was_taken_over_touches_nothing_more",
            "tests/integration/test_inbox.py::test_an_attempt_that_was_taken_over_is_told",
        ),
    ),
    Break(
        "the fence at the end",
        "bot/inbox.py",
        "        (status, waiting.id, waiting.attempts + 1),",
        "        (status, waiting.id, waiting.attempts + 2),",
        "A worker believed dead would end the turn that another is answering.",
        ("tests/integration/test_inbox.py::test_an_attempt_that_was_taken_over_is_told",),
    ),
    Break(
        "oldest message first",
        "bot/inbox.py",
        '" ORDER BY ts LIMIT 1)',
        '" ORDER BY ts DESC LIMIT 1)',
        "Messages of a thread would be answered out of order.",
        ("tests/integration/test_inbox.py::test_messages_come_in_the_order_they_were_written",),
    ),
    Break(
        "bots are ignored",
        "bot/messages.py",
        'if event.get("bot_id") or event.get("bot_profile"):',
        "if event.get('bot_profile'):",
        "Two bots would talk to each other for ever.",
        ("tests/unit/test_messages.py",),
    ),
    Break(
        "a mention of somebody else",
        "bot/messages.py",
        "if not addressed and (thread_ts == ts or mentioned):",
        "if not addressed and thread_ts == ts:",
        "The bot would answer what was said to another person.",
        ("tests/unit/test_messages.py",),
    ),
    Break(
        "a thread the bot has no part in",
        "bot/inbox.py",
        "if not message.addressed and not await _follows(connection, message.thread):",
        "if not message.addressed and not message.thread:",
        "The bot would read and answer what people say among themselves.",
        ("tests/integration/test_inbox.py::test_a_thread_the_bot_takes_no_part_in_is_left_alone",),
    ),
    # --- the answer ---------------------------------------------------------------------------
    Break(
        "memories cannot close their frame",
        "bot/prompt.py",
        '.replace("<", "\\\\u003c").replace(">", "\\\\u003e")',
        "",
        "A memory could end the frame and speak as the developer.",
        (
            "tests/unit/test_prompt.py::test_framed_is_one_line_that_reads_back",
            "tests/unit/test_prompt.py::test_no_memory_closes_its_frame",
        ),
    ),
    Break(
        "stream → post",
        "bot/delivery.py",
        "            self._may_stream = False\n            return False",
        "            raise",
        "Where Slack takes no stream the person would get no answer.",
        (
            "tests/integration/test_delivery.py::test_a_stream_that_fails_becomes_one_whole_answer",
            "tests/integration/test_delivery.py::test_an_answer_that_was_never_streamed_is_posted",
        ),
    ),
    Break(
        "update after a broken stream",
        "bot/delivery.py",
        "            if part is None:\n                await self._post",
        "            if part is None or part.text:\n                await self._post",
        "Half an answer would stay above the whole one.",
        ("tests/integration/test_delivery.py::test_a_stream_that_fails_becomes_one_whole_answer",),
    ),
    Break(
        "a post of unknown fate",
        "bot/delivery.py",
        "                if await self._was_posted(index):",
        "                if index < 0:",
        "An answer that Slack took before the connection broke would be posted again.",
        ("tests/integration/test_delivery.py::test_a_post_that_fails_ends_as_one_post",),
    ),
    Break(
        "a broken model stream is asked again",
        "bot/turn.py",
        "            if not outlet.taken:",
        "            if outlet.taken is not None:",
        "A connection lost in the middle would cost the person the answer.",
        ("tests/integration/test_turn.py::test_an_answer_that_breaks_off_is_asked_for_again",),
    ),
    Break(
        "no unfurling",
        "bot/delivery.py",
        "unfurl_links=False,",
        "unfurl_links=True,",
        "A link the model made up would be fetched, with what stands in it, before any click.",
        ("tests/integration/test_delivery.py::test_an_answer_that_was_never_streamed_is_posted",),
    ),
    Break(
        "answers are not kept by the model's host",
        "bot/reply.py",
        "store=False,",
        "store=True,",
        "What people ask would be kept elsewhere, out of reach of forgetting.",
        ("tests/integration/test_reply.py::test_what_is_asked_of_the_model",),
    ),
    Break(
        "hashed person",
        "bot/reply.py",
        "safety_identifier=hashlib.sha256(person.scope.encode()).hexdigest()[:40],",
        "safety_identifier=person.scope,",
        "The model's host would learn who asks.",
        ("tests/integration/test_reply.py::test_what_is_asked_of_the_model",),
    ),
    Break(
        "withdrawn words are not formed",
        "bot/turns.py",
        "AND status = 'withdrawn') AS withdrawn",
        "AND false) AS withdrawn",
        "A message deleted while it is answered would be remembered.",
        ("tests/integration/test_turn.py::test_a_question_deleted_while_answered_leaves_no_words",),
    ),
    Break(
        "only visible to you",
        "bot/surfaces/blocks.py",
        '"response_type": "ephemeral"',
        '"response_type": "in_channel"',
        "A list of one person's memories would be posted to the channel.",
        ("tests/e2e/test_own_memories.py::test_line_4_memories_are_shown_to_their_person_only",),
    ),
    Break(
        "a command without the database",
        "bot/listeners/privately.py",
        "    except OperationalError:",
        "    except KeyError:",
        "The command would end in silence.",
        (
            "tests/e2e/test_database_faults.py::test_line_5_a_command_that_loses_its_connection_says_so",
        ),
    ),
    Break(
        "quoted lines are not one's own words",
        "bot/words.py",
        'text = _QUOTED_LINE.sub("", text)',
        "text = text.strip()",
        "Another person's words, quoted, would become one's own memory.",
        ("tests/unit/test_words.py",),
    ),
    # --- the operator -------------------------------------------------------------------------
    Break(
        "unknown settings",
        "bot/config.py",
        'if name.startswith("KIOKU_") and name not in _ALIASES:',
        'if name == "KIOKU_":',
        "A mistyped setting would be ignored without a word.",
        ("tests/unit/test_config.py::test_unknown_names",),
    ),
    Break(
        "discreet logs",
        "bot/logs.py",
        'return f" ({fault(error)})" if error else ""',
        'return f" ({error})" if error else ""',
        "The text of an exception can quote what a person wrote.",
        ("tests/unit/test_logs.py",),
    ),
    Break(
        "a role of its own",
        "bot/service.py",
        'if self._role != "front":',
        "if self._role:",
        "A front would answer too, and take the workers' work and connections.",
        ("tests/integration/test_roles.py",),
    ),
    Break(
        "a refusal is no passing trouble",
        "bot/start.py",
        'if code not in ("", "ratelimited"):',
        'if code == "never":',
        "A wrong token would keep the operator waiting for a minute.",
        ("tests/integration/test_start.py::test_a_refusal_ends_the_start_at_once",),
    ),
    Break(
        "a port that is taken",
        "bot/service.py",
        "            raise cannot_open(self._settings.port, error) from None",
        "            raise",
        "The operator would read a traceback instead of what to do.",
        ("tests/integration/test_commands.py::test_run_says_that_its_port_is_taken",),
    ),
)
