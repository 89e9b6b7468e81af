"""Definitions of the metrics, for the page and for its test."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind = Literal["most", "least"]
Metrics: TypeAlias = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """A family of metrics: `pattern` is matched whole, and named as `shown` on the page."""

    pattern: str
    shown: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """The target of a metric: at ``most`` or at ``least`` `bound`."""

    metric: str
    kind: Kind
    bound: float

    @property
    def shown(self) -> str:
        """The bound as it is printed."""
        return f"{'≤' if self.kind == 'most' else '≥'} {self.bound:g}"

    def met(self, value: float) -> bool:
        """Say whether a value reaches it."""
        return value <= self.bound if self.kind == "most" else value >= self.bound


GOALS = (
    Goal(metric="turn_overhead_ms_p50", kind="most", bound=12),
    Goal(metric="turn_overhead_ms_p95", kind="most", bound=20),
    Goal(metric="reply_ready_ratio_20", kind="most", bound=1.30),
    Goal(metric="search_recall_at_10_1m_5000", kind="least", bound=1.0),
    Goal(metric="search_ms_p95_1m_5000", kind="most", bound=5),
    Goal(metric="model_calls_burst_10", kind="most", bound=12),
    Goal(metric="model_calls_thanks", kind="most", bound=2),
    Goal(metric="sent_tokens_plain", kind="most", bound=3_000),
    Goal(metric="sent_tokens_teaching", kind="most", bound=5_500),
    Goal(metric="memory_writes_thanks", kind="most", bound=0),
    Goal(metric="http_requests_model_down", kind="most", bound=4),
    Goal(metric="sustained_msgs_per_s", kind="least", bound=60),
    Goal(metric="sustained_lost", kind="most", bound=0),
    Goal(metric="ready_s_second_start", kind="most", bound=2),
    Goal(metric="sql_messages_per_second_idle", kind="most", bound=2),
    Goal(metric="rss_mb_idle", kind="most", bound=200),
    Goal(metric="rss_growth_mb_10k_turns", kind="most", bound=5),
    Goal(metric="prompt_memory_tokens_p95", kind="most", bound=2_000),
    Goal(metric="observed_reply_ready_ratio", kind="most", bound=1.03),
)

_PEER = r"(?:articles_|mem0_)?"
_CROWD = r"(?:_20|_100)?"
_P = r"_(?:p50|p95|p50_low|p50_high)"

MEANINGS = (
    Meaning(
        pattern=rf"floor_ms{_CROWD}{_P}",
        shown="`floor_ms[_N]_p50`, `_p95`",
        says="Milliseconds of the model call alone, streamed, for one person and for N at once.",
    ),
    Meaning(
        pattern=rf"{_PEER}reply_ready_ms{_CROWD}{_P}",
        shown="`[SYSTEM_]reply_ready_ms[_N]_p50`, `_p95`",
        says="Milliseconds until the person has the whole reply: for Kioku from the message in"
        " Slack to the end of the call that completes its reply, by Slack's clock; for a peer until"
        " its request has returned, which is when its caller gets the reply.",
    ),
    Meaning(
        pattern=rf"(?:articles_|mem0_)reply_made_ms{_CROWD}{_P}",
        shown="`SYSTEM_reply_made_ms[_N]_p50`, `_p95`",
        says="Milliseconds until the reply's text exists inside a peer, which then goes on to"
        " remember before it returns.",
    ),
    Meaning(
        pattern=rf"first_(?:text|sign)_ms{_CROWD}{_P}",
        shown="`first_text_ms[_N]_p50`, `first_sign_ms[_N]_p50`, `_p95`",
        says="Milliseconds until the first words, and until the status line, are in Slack; a peer"
        " shows nothing before its reply is there.",
    ),
    Meaning(
        pattern=rf"{_PEER}turn_overhead_ms{_CROWD}{_P}",
        shown="`[SYSTEM_]turn_overhead_ms[_N]_p50`, `_p95`",
        says="Reply ready less the median floor of the same round.",
    ),
    Meaning(
        pattern=rf"{_PEER}reply_ready_ratio_(?:1|20|100)(?:_low|_high)?",
        shown="`[SYSTEM_]reply_ready_ratio_N`",
        says="Median of reply ready, over the median floor at the same number of people at once.",
    ),
    Meaning(
        pattern=r"observed_reply_ready_ratio|(?:un)?observed_(?:reply_ready_ms_p50|cpu_ms_per_message)",
        shown="`observed_reply_ready_ratio`, `[un]observed_…`",
        says="Kioku with metrics that are scraped each second, and without: median of reply ready"
        " for one person and their ratio, and processor time of its process for a message when 20"
        " people write at once, their memories formed.",
    ),
    Meaning(
        pattern=rf"{_PEER}failed_share{_CROWD}",
        shown="`[SYSTEM_]failed_share[_N]`",
        says="Share of turns that ended with an error.",
    ),
    Meaning(
        pattern=r"(?:floor_|articles_|mem0_)?cpu_ms_per_message",
        shown="`[SYSTEM_]cpu_ms_per_message`",
        says="Milliseconds of a processor that the system's own process takes for a message, its"
        " memories formed, when 20 people write at once; without PostgreSQL's and the stand-ins'.",
    ),
    Meaning(
        pattern=rf"{_PEER}(?:model_calls|embedding_calls|prompt_tokens)_per_message",
        shown="`[SYSTEM_]model_calls_per_message`, `embedding_calls_…`, `prompt_tokens_…`",
        says="Calls of the model (replies and memories), calls of embeddings, and tokens sent to"
        " the model with its tools, per message; half of them tell something new; one by one.",
    ),
    Meaning(
        pattern=rf"{_PEER}sent_tokens_(?:plain|teaching)",
        shown="`[SYSTEM_]sent_tokens_plain`, `sent_tokens_teaching`",
        says="What the first two messages of a person send to the model, with the tools: one that"
        " asks, one that tells something; characters of all requests divided by four.",
    ),
    Meaning(
        pattern=rf"{_PEER}sql_(?:statements|round_trips|connections)_per_message",
        shown="`[SYSTEM_]sql_statements_per_message`, `sql_round_trips_…`, `sql_connections_…`",
        says="What PostgreSQL is asked per message, from Slack's event to the memories formed,"
        " counted between the system and PostgreSQL; what it asks at rest is subtracted.",
    ),
    Meaning(
        pattern=rf"{_PEER}sql_statements_per_second_idle",
        shown="`[SYSTEM_]sql_statements_per_second_idle`",
        says="Statements a second with nothing to do, over a minute with its job.",
    ),
    Meaning(
        pattern=rf"{_PEER}sql_messages_per_second_idle",
        shown="`[SYSTEM_]sql_messages_per_second_idle`",
        says="Messages to PostgreSQL a second with nothing to do, as"
        " `tests/integration/test_statements_sent.py` counts them: without the job of each minute,"
        " and what is sent in one message, such as the role before a statement, is one.",
    ),
    Meaning(
        pattern=rf"{_PEER}model_calls_burst_10",
        shown="`[SYSTEM_]model_calls_burst_10`",
        says="Model calls for ten messages of one person in quick succession.",
    ),
    Meaning(
        pattern=rf"{_PEER}(?:model_calls|memory_writes)_thanks",
        shown="`[SYSTEM_]model_calls_thanks`, `memory_writes_thanks`",
        says="Model calls, and memories added, changed or removed, for “ok thanks” from"
        " somebody who has memories.",
    ),
    Meaning(
        pattern=rf"{_PEER}http_requests_model_down",
        shown="`[SYSTEM_]http_requests_model_down`",
        says="Requests to the model and its embeddings for one message while each is answered by an"
        " error 500, until well after the person was told.",
    ),
    Meaning(
        pattern=rf"{_PEER}formation_ms_(?:p50|p95)",
        shown="`[SYSTEM_]formation_ms_p50`, `_p95`",
        says="Milliseconds of remembering: for Kioku from the moment the reply is stored until the"
        " memory is stored, less the configured delay; for a peer from the reply's text to its"
        " return.",
    ),
    Meaning(
        pattern=r"msgs_per_s_r\d+_w\d+",
        shown="`msgs_per_s_rR_wW`",
        says="Replies a second of R processes while W people write, each again as soon as they are"
        " answered; Slack's limits off.",
    ),
    Meaning(
        pattern=r"saturation_msgs_per_s_r\d+",
        shown="`saturation_msgs_per_s_rR`",
        says="The most of these, by number of processes.",
    ),
    Meaning(
        pattern=r"limited_msgs_per_s_r\d+",
        shown="`limited_msgs_per_s_rR`",
        says="The same with the most people and Slack's limits on.",
    ),
    Meaning(
        pattern=r"sustained_(?:msgs_per_s|replicas|seconds|wait_ms_p95|lost)",
        shown="`sustained_msgs_per_s`, `sustained_replicas`, `sustained_seconds`,"
        " `sustained_wait_ms_p95`, `sustained_lost`",
        says="Messages that come steadily, 52 a second or, if that is more, three quarters of the"
        " best rate above: answers a second until the last one has come, with how many processes,"
        " for how long, the wait of 95 in 100, and messages without an answer after a minute in"
        " all of the load.",
    ),
    Meaning(
        pattern=r"ready_s_(?:cold|second)_start",
        shown="`ready_s_cold_start`, `ready_s_second_start`",
        says="Seconds of `kioku up` until it is ready: with nothing there, and again (median).",
    ),
    Meaning(
        pattern=r"rss_mb_(?:idle|under_load)",
        shown="`rss_mb_idle`, `rss_mb_under_load`",
        says="Resident memory of one `kioku run` in MB: five seconds after its start, and after the"
        " load above.",
    ),
    Meaning(
        pattern=r"rss_growth_(?:mb_10k_turns|mb_measured|turns_measured)",
        shown="`rss_growth_mb_10k_turns`, `rss_growth_mb_measured`, `rss_growth_turns_measured`",
        says="How much that grows in 10,000 turns after warming up, in proportion to what was"
        " measured over how many turns, with a model that answers at once.",
    ),
    Meaning(
        pattern=rf"{_PEER}db_bytes_per_memory",
        shown="`[SYSTEM_]db_bytes_per_memory`",
        says="Bytes in PostgreSQL, indexes too, for a memory of one sentence, 1,536 dimensions.",
    ),
    Meaning(
        pattern=rf"{_PEER}(?:prompt_memory_tokens_p95|reply_ready_ms_\d+_memories_(?:p50|p95))"
        r"|prompt_memory_tokens_memories",
        shown="`[SYSTEM_]prompt_memory_tokens_p95`, `reply_ready_ms_M_memories_p50`,"
        " `prompt_memory_tokens_memories`",
        says="Tokens of memories in a reply's prompt, and reply ready, of one with M memories.",
    ),
    Meaning(
        pattern=r"home_ms_1000_memories_(?:p50|p95)",
        shown="`home_ms_1000_memories_p50`, `_p95`",
        says="Milliseconds from opening the Home tab, with 1,000 memories, to its publication.",
    ),
    Meaning(
        pattern=r"(?:store_|hnsw_|mem0_)?search_(?:recall_at_10|ms_p(?:50|95))_\d+[km]_\d+(?:_1536d)?",
        shown="`search_recall_at_10_SIZE_OWN`, `search_ms_p50_SIZE_OWN`, `store_search_…`,"
        " `hnsw_search_…`, `mem0_search_…`",
        says="Share of the ten truly nearest memories among a search's first ten, and"
        " its milliseconds, for somebody with OWN memories among SIZE: the app's own recall, from"
        " taking a connection to giving it back; LangGraph's `store.search` without an index"
        " (`store_`) and with its default one (`hnsw_`); the statement and index of mem0. Vectors"
        " are random, of 256 dimensions, or of 1,536 (`_1536d`); embedding is not counted.",
    ),
    Meaning(
        pattern=r"load_rows_per_s_\d+[km](?:_1536d)?",
        shown="`load_rows_per_s_SIZE`",
        says="Memories a second that PostgreSQL took in by COPY on the way to SIZE, with indexes.",
    ),
    Meaning(
        pattern=r"retrieval_(?:questions|in_view|cut_off_lost)",
        shown="`retrieval_questions`, `retrieval_in_view`, `retrieval_cut_off_lost`",
        says="The set of questions in bench/retrieval: how many; the share of the answering"
        " memories that the reply gets to see; the share of known answers that a similarity cut-off"
        " would hide if it hid nine in ten of the questions to which nothing is known.",
    ),
    Meaning(
        pattern=r"retrieval_(?:cosine|lexical|blend)_recall_at_(?:5|10)(?:_[a-z]+)?",
        shown="`retrieval_ORDER_recall_at_K[_KIND]`",
        says="Mean share of the answering memories among the first K of a person's sixty, in the"
        " app's own order (`cosine`), by BM25 (`lexical`), by both (`blend`); by what is asked and"
        " by language. The embeddings are the stand-in's, which know shared words only.",
    ),
    Meaning(
        pattern=r"front_import_(?:s|mb)",
        shown="`front_import_s`, `front_import_mb`",
        says="Seconds and peak MB of a fresh process that imports the front of AWS.",
    ),
    Meaning(
        pattern=r"bench_seconds",
        shown="`bench_seconds`",
        says="How long the whole run took.",
    ),
)


def undocumented(metrics: Metrics) -> list[str]:
    """Return the metrics that nothing is said of."""
    return [
        name for name in metrics if not any(re.fullmatch(one.pattern, name) for one in MEANINGS)
    ]
