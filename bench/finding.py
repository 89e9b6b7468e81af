"""The benchmark page's section on search: recall and speed."""

from __future__ import annotations

from bench.markdown import number, table
from bench.metrics import Metrics

_SIZES = {"10k": "10,000", "100k": "100,000", "1m": "1,000,000", "20k_1536d": "20,000"}
_OWN = (10, 100, 1_000, 5_000)
_WAYS = {
    "": "Kioku",
    "store_": "`store.search`, no index",
    "hnsw_": "`store.search`, default index",
    "mem0_": "mem0",
}
_ORDERS = {"cosine": "Kioku (cosine)", "lexical": "BM25", "blend": "both"}
_KINDS = {
    "": "all",
    "_direct": "a fact, asked for directly",
    "_indirect": "a preference, asked for indirectly",
    "_changed": "what has changed",
    "_dated": "when something was or will be",
    "_several": "several facts at once",
    "_en": "English",
    "_ja": "Japanese",
}


def finding(metrics: Metrics) -> list[str]:
    """Return the parts of the page, none where nothing of it was measured."""
    return [*_search(metrics), *_retrieval(metrics)]


def _search(metrics: Metrics) -> list[str]:
    rows = []
    for size, shown in _SIZES.items():
        for own in _OWN:
            tail, full = (f"_{own}_1536d", " (1,536 dimensions)") if "1536d" in size else ("", "")
            name = f"{size.removesuffix('_1536d')}{tail}" if tail else f"{size}_{own}"
            if f"search_ms_p50_{name}" in metrics:
                ways = [_way(metrics, way, name) for way in _WAYS]
                rows.append((f"{shown}{full}", f"{own:,}", *ways))
    if not rows:
        return []
    head = ("Memories in all", "… of the one who asks", *_WAYS.values())
    return [
        "## Searching one person's memories among everybody's",
        "Recall at 10 (the share of the ten truly nearest that are found), median and 95 in 100 of"
        " the milliseconds. Kioku's are those of its whole recall: two statements, each in its own"
        " transaction under row-level security, forty memories; the others' are those of one"
        " search for ten.",
        table(head, rows),
    ]


def _way(metrics: Metrics, way: str, name: str) -> str:
    recall = metrics.get(f"{way}search_recall_at_10_{name}")
    if recall is None:
        return "–"
    middle, late = (number(metrics[f"{way}search_ms_p{p}_{name}"]) for p in (50, 95))
    return f"**{recall:.2f}** · {middle} / {late} ms"


def _retrieval(metrics: Metrics) -> list[str]:
    if "retrieval_questions" not in metrics:
        return []
    rows = [
        (
            said,
            *(
                f"{metrics[f'retrieval_{order}_recall_at_5{kind}']:.2f}"
                f" / {metrics[f'retrieval_{order}_recall_at_10{kind}']:.2f}"
                for order in _ORDERS
            ),
        )
        for kind, said in _KINDS.items()
        if f"retrieval_cosine_recall_at_5{kind}" in metrics
    ]
    return [
        "## Is what answers a question found?",
        f"{number(metrics['retrieval_questions'])} made questions to four people with sixty"
        " memories each ([bench/retrieval](../bench/retrieval/README.md)): recall at 5 / at 10. The"
        " embeddings are the stand-in's, which know shared words and nothing of their meaning, so"
        " these figures compare orders and say little about a real model. What the reply gets to"
        f" see holds {metrics['retrieval_in_view']:.0%} of the answers; a similarity cut-off that"
        " hid nine in ten of the questions to which nothing is known would hide"
        f" {metrics['retrieval_cut_off_lost']:.0%} of the known answers too.",
        table(("Asked for", *_ORDERS.values()), rows),
    ]
