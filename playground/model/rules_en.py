"""English: what a sentence says about its author."""

from __future__ import annotations

import re
from typing import Final

from playground.model.lexicon import Domain, field_of
from playground.model.statements import Stance, Statement, domain_in, without_marks

_ADVERB: Final = (
    r"(?:(?:really|absolutely|also|just|very|much|so|do|still|now|quite|totally|truly|actually|"
    r"particularly|especially|always|definitely|currently|recently|kind of|pretty|have|been|"
    r"mostly|both|become|became|grown|gotten|gradually|steadily|slowly|a bit|"
    r"somewhat|strongly|deeply|extremely|super) )*"
)
_I: Final = r"(?:^|.*?\b)i(?: am|'m|’m|'ve|’ve|'d|’d)? "

_QUESTION: Final = re.compile(
    r"^(?:what|who|whom|when|where|why|which|how|is|are|am|was|were|do|does|did|should|shall|"
    r"will|would you|have|has|may|might)\b",
    re.IGNORECASE,
)
_REQUEST: Final = re.compile(
    r"^(?:(?:please|can you|could you|would you|will you|i want you to|i'd like you to|hey|kioku|"
    r"ok|okay|and|so|well|no|also|but|oh|hi|hello)[,:]? +)+",
    re.IGNORECASE,
)
_REMEMBER: Final = re.compile(
    r"^(?:(?:don't|do not|never) forget|remember|note|keep in mind|make a note|save|fyi)"
    r"(?: this)?(?: that|:|,)? ",
    re.IGNORECASE,
)
_FORGET: Final = re.compile(
    r"^(?:forget|delete|remove|erase|drop|don't remember|do not remember)\b(?: about)?"
    r"(?: the fact)?(?: that)? (?P<rest>.+)$",
    re.IGNORECASE,
)
_MOVED: Final = re.compile(
    r"\b(?:moved on|moving on|switched|switching|changed|migrated)(?: over)? from (?P<old>.+?) to "
    r"(?P<new>.+)$",
    re.IGNORECASE,
)
_PREFER: Final = re.compile(
    rf"\bi(?:'d|’d)? {_ADVERB}(?:prefer|like) (?P<new>.+?)"
    r"(?: (?:to|over|rather than|more than|better than|instead of) (?P<old>.+))?$",
    re.IGNORECASE,
)
_MEANT: Final = re.compile(
    r"\b(?:i meant|i mean|it's|it is|i like|i love|i said)(?: actually)? (?P<new>[^,]+?),? not "
    r"(?P<old>.+)$",
    re.IGNORECASE,
)
_NOT_BUT: Final = re.compile(
    rf"{_I}{_ADVERB}(?:meant |mean |like |love )?not (?P<old>.+?),? but (?P<new>.+)$",
    re.IGNORECASE,
)
_DIET: Final = re.compile(
    r"\b(?:i am|i'm|i’m|i(?:'ve| have)? (?:became|become|went|gone)|i eat|my diet is)"
    rf"(?: now)? {_ADVERB}(?:a |an |on a )?(?P<diet>vegetarian|vegan|pescatarian|gluten[- ]free|"
    r"halal|kosher|lactose[- ]intolerant|keto)\b",
    re.IGNORECASE,
)
_ALLERGY: Final = re.compile(
    r"\b(?:allergic to|have an? (?P<before>[\w -]+?) allergy|allergy to|intolerant to|"
    r"can't eat|cannot eat|can’t eat|don't eat|do not eat|don’t eat|never eat) ?(?P<s>.*)$",
    re.IGNORECASE,
)
_FAVOURITE: Final = re.compile(
    r"\bmy (?:\w+ )?favou?rite(?: (?P<what>[\w ]+?))? (?:is|are) (?P<s>.+)$"
    r"|^(?P<s2>.+?) (?:is|are) my (?:\w+ )?favou?rite\b.*$",
    re.IGNORECASE,
)
_TOPIC: Final = re.compile(
    r"^(?:for|as for|when it comes to|with|about|regarding) (?P<topic>[\w -]+?), "
    rf"(?:i {_ADVERB}(?:like|love|prefer|enjoy) (?P<s>.+)|(?P<s2>.+?) is .*best.*)$",
    re.IGNORECASE,
)

_USED: Final = 70
"""The level of a technology that is used; other things that are used say nothing."""

_PATTERNS: Final[tuple[tuple[Stance, int, str], ...]] = (
    (
        "lost",
        0,
        rf"(?:\b(?:no longer|not|don't|don’t|do not|never) {_ADVERB}(?:care about|care for|"
        r"interested in|curious about|into|keen on|want to learn(?: about)?|"
        r"a fan of|learning|use|using)"
        r"|\b(?:lost (?:all |my )?interest in|gave up(?: on)?|given up on|am done with|"
        r"i'm done with|i’m done with|stopped (?:learning|using|studying|caring about)|"
        r"quit (?:learning|using)|bored (?:of|with))) (?P<s>.+)$",
    ),
    (
        "dislike",
        5,
        rf"{_I}{_ADVERB}(?:hate|dislike|can't stand|cannot stand|can’t stand|detest|loathe|"
        r"despise|hated) (?P<s>.+)$",
    ),
    (
        "dislike",
        15,
        rf"\b(?:no longer|not|don't|don’t|do not|doesn't|never|didn't) {_ADVERB}(?:any ?more )?"
        r"(?:like|love|enjoy|liked|fond of|want|prefer) (?P<s>.+)$",
    ),
    (
        "dislike",
        10,
        r"\b(?:stopped (?:liking|eating|drinking|enjoying)|(?:tired|sick) of|went off|"
        r"gone off|go off|quit (?:eating|drinking)) (?P<s>.+)$",
    ),
    (
        "dislike",
        10,
        r"^(?P<s>.+?) (?:is not|isn't|isn’t|are not|aren't|is no longer|are no longer) "
        r"(?:my thing|for me|my favou?rite)\b",
    ),
    (
        "interest",
        90,
        rf"{_I}{_ADVERB}(?:fascinated by|excited about|passionate about|obsessed with) "
        r"(?P<s>.+)$",
    ),
    (
        "interest",
        75,
        rf"{_I}{_ADVERB}(?:interested in|curious about|keen on|getting into|got into|into|"
        r"learning(?: about)?|studying|exploring|digging into|working with|looking into|"
        r"want(?:ed)? to (?:learn|study|explore|try out|know)(?: more)?(?: about)?|"
        r"(?:want to )?(?:gradually |slowly )?deepen(?:ing)? my (?:basic )?"
        r"(?:knowledge|understanding) of|"
        r"(?:would )?like to (?:learn|study|explore|know)(?: more)?(?: about)?|"
        r"love to learn(?: more)?(?: about)?) (?P<s>.+)$",
    ),
    (
        "like",
        100,
        rf"{_I}{_ADVERB}(?:love|adore|crave|crazy about|a (?:big|huge|great) fan of|"
        r"can't get enough of) (?P<s>.+)$",
    ),
    (
        "like",
        80,
        rf"{_I}(?<!'d )(?<!’d ){_ADVERB}(?:like|enjoy|prefer|fond of|a fan of|"
        r"started (?:liking|to like)|fell in love with) (?P<s>.+)$",
    ),
    (
        "interest",
        _USED,
        rf"{_I}{_ADVERB}(?:use|work with|program in|code in|write code in) (?P<s>.+)$",
    ),
)
_FACT: Final = re.compile(
    r"\b(?:my (?P<what>[\w ]+?) (?:is|are)|i (?:live|work|was born|grew up|moved)|"
    r"i(?: am|'m|’m) (?:a|an|from|based)) .+$",
    re.IGNORECASE,
)

_SPLIT_CLAUSES: Final = re.compile(
    r"(?:,|;|\.)? (?:but|although|though|whereas|while) "
    r"|(?:,|;)? and (?:that )?(?=i(?:'|’| )|my )|; |, (?=i(?:'|’| )(?!\w+ said))|, (?=my )",
    re.IGNORECASE,
)
_LEAD: Final = re.compile(
    r"^(?:(?:the|a|an|some|any|my|your|eating|to eat|drinking|to drink|using|to use|having|to have|"
    r"learning|to learn|studying|to study|working with|all kinds of|every kind of|lots of|more|"
    r"most of all|about|that|like|in|on|really|also|both|how|especially|doing|making|cooking) )+",
    re.IGNORECASE,
)
_TAIL: Final = re.compile(
    r"(?:,? (?:very much|a lot|so much|the most|the best|most of all|any ?more|any longer|too|"
    r"as well|these days|nowadays|now|lately|recently|again|please|at all|instead|best|more|"
    r"in general|at the moment|right now|for (?:lunch|dinner|breakfast)|every day|"
    r"the other day|though|either|thanks|thank you|and stuff|food preference|preference))+$",
    re.IGNORECASE,
)
_CUT: Final = re.compile(
    r",? (?:because|since|when|while|so that|so|although|though|which|who|where|after|before|if|"
    r"unless|until|for|due to|thanks to|than|as a|at my|at the|at work|from my|and i|and want|"
    r"and would)\b.*$"
    r"|[(\[:;].*$",
    re.IGNORECASE,
)
_LIST: Final = re.compile(
    r",? (?:and|or|as well as|plus|especially|particularly|including) (?:also |especially )?"
    r"|, ?| ?& ?",
    re.IGNORECASE,
)
_EMPTY: Final = frozenset(
    [
        "it",
        "that",
        "this",
        "these",
        "those",
        "them",
        "you",
        "me",
        "him",
        "her",
        "us",
        "everything",
        "anything",
        "something",
        "nothing",
        "all",
        "everyone",
        "what",
        "things",
        "stuff",
        "one",
        "ones",
        "everybody",
        "to",
        "forget it",
        "forget that",
        "forget about it",
        "so forget it",
        "please forget it",
    ]
)


def read(sentence: str) -> list[Statement]:
    """The statements of one English sentence."""
    plain = _REQUEST.sub("", without_marks(sentence))
    remembered = _REMEMBER.sub("", plain)
    found = [] if remembered != plain else _forget(plain, sentence)
    if found or sentence.rstrip().endswith(("?", "？")) or _QUESTION.match(plain):
        return found
    for clause in _SPLIT_CLAUSES.split(remembered):
        found += _clause(clause.strip(), sentence)
    return found


def _forget(plain: str, quote: str) -> list[Statement]:
    match = _FORGET.match(plain)
    if not match:
        return []
    rest = match["rest"]
    about = re.sub(
        r"^(?:i(?: am|'m|’m)? .*?(?:like|love|enjoy|interested in|prefer|into|about|want|hate) |"
        r"i(?: am|'m|’m) |what i said about |my (?:(?:interest in|love of|love for|taste for|"
        r"liking for|preference for) )?)",
        "",
        rest,
        flags=re.IGNORECASE,
    )
    about = re.sub(r"^(?:(?:a|an|allergic to) )|(?: allergy)$", "", about, flags=re.IGNORECASE)
    return [_statement("forget", one, 0, quote, rest) for one in _subjects(about)]


def _clause(clause: str, quote: str) -> list[Statement]:
    for reader in (_change, _diet, _topic, _favourite, _plain):
        found = reader(clause, quote)
        if found:
            return found
    return []


def _change(clause: str, quote: str) -> list[Statement]:
    moved = _MOVED.search(clause)
    if moved:
        new, old = _subjects(moved["new"]), _subjects(moved["old"])
        domain = next((d for d in (domain_in(one, clause) for one in new + old) if d), None)
        stance: Stance = "like" if domain == "food" else "interest"
        gone = [_statement("lost", one, 0, quote, clause, domain) for one in old]
        return gone + [_statement(stance, one, 80, quote, clause, domain) for one in new]
    meant = _MEANT.search(clause) or _NOT_BUT.search(clause)
    if meant:
        new, old = _subjects(meant["new"]), _subjects(meant["old"])
        if new and old:
            domain = domain_in(new[0], clause) or domain_in(old[0], clause)
            return [
                Statement(
                    stance="interest" if domain == "tech" else "like",
                    subject=new[0],
                    strength=80,
                    quote=quote,
                    detail=clause,
                    domain=domain,
                    replaces=old[0],
                )
            ]
    prefer = _PREFER.search(clause)
    if prefer and prefer["old"]:
        new, old = _subjects(prefer["new"]), _subjects(prefer["old"])
        domain = next((d for d in (domain_in(one, clause) for one in new + old) if d), None)
        return [_statement("like", one, 90, quote, clause, domain) for one in new] + [
            _statement("lesser", one, 60, quote, clause, domain) for one in old
        ]
    return []


def _diet(clause: str, quote: str) -> list[Statement]:
    diet = _DIET.search(clause)
    if diet and not re.search(r"\b(?:not|no longer|never)\b", diet.group()):
        return [_statement("diet", f"{_diet_name(diet['diet'])} food", 100, quote, clause, "food")]
    ended = re.search(
        r"\b(?:no longer|not) (?:a |an )?(?P<diet>vegetarian|vegan|pescatarian|keto)\b",
        clause,
        re.IGNORECASE,
    )
    if ended:
        return [_statement("lost", f"{ended['diet'].lower()} food", 0, quote, clause, "food")]
    allergy = _ALLERGY.search(clause)
    if allergy:
        about = allergy["before"] or allergy["s"]
        return [_statement("diet", one, 0, quote, clause, "food") for one in _subjects(about)]
    return []


def _diet_name(said: str) -> str:
    return re.sub(r"[ -](?:intolerant|free)$", "-free", said.lower())


def _topic(clause: str, quote: str) -> list[Statement]:
    match = _TOPIC.match(clause)
    if not match:
        return []
    special = _subjects(match["s"] or match["s2"])
    if not special:
        return []
    topic = _clean(match["topic"])
    domain = domain_in(topic, clause)
    return [
        Statement(
            stance="interest" if domain == "tech" else "like",
            subject=topic,
            strength=80,
            quote=quote,
            detail=clause,
            domain=domain,
            special=special[0],
        )
    ]


def _favourite(clause: str, quote: str) -> list[Statement]:
    match = _FAVOURITE.search(clause)
    if not match:
        return []
    hint = f"{match['what'] or ''} {clause}"
    subjects = _subjects(match["s"] or match["s2"])
    found = []
    for one in subjects:
        domain = domain_in(one, hint) or (
            "food" if re.search(r"\b(food|dish|meal|cuisine)\b", hint) else None
        )
        stance: Stance = "interest" if domain == "tech" else "like"
        found.append(_statement(stance, one, 100, quote, clause, domain))
    return found


def _plain(clause: str, quote: str) -> list[Statement]:
    for stance, strength, pattern in _PATTERNS:
        match = re.search(pattern, clause, re.IGNORECASE)
        if not match:
            continue
        strong = re.search(
            r"\b(?:really|very|absolutely|so much|the most|strongly|super|extremely|deeply)\b",
            clause,
            re.IGNORECASE,
        )
        if strength == _USED and not field_of(_clean(match["s"])):
            return []
        weak = re.search(r"\b(?:a bit|somewhat|kind of|a little)\b", clause, re.IGNORECASE)
        level = strength
        if stance in {"like", "interest"}:
            level = 50 if weak else min(100, strength + 15) if strong else strength
        first, *special = re.split(r"\b(?:especially|particularly)\b", match["s"])
        said = [_statement(stance, one, level, quote, clause) for one in _subjects(first)]
        more = min(level + 5, 100)
        said += [
            _statement(stance, one, more, quote, clause) for one in _subjects("".join(special))
        ]
        return [_settle(one) for one in said]
    fact = _FACT.search(clause)
    if fact:
        return [_statement("fact", (fact["what"] or clause).strip(), 100, quote, clause)]
    return []


def _settle(said: Statement) -> Statement:
    """A like of a technology is an interest; an interest in a dish is a like."""
    stance = said.stance
    if said.domain == "tech":
        stance = {"like": "interest", "dislike": "lost"}.get(stance, stance)  # type: ignore[assignment]
    elif said.domain == "food":
        stance = {"interest": "like", "lost": "dislike"}.get(stance, stance)  # type: ignore[assignment]
    elif stance == "interest":
        return _with(said, domain="tech", stance=stance)
    return _with(said, domain=said.domain, stance=stance)


def _with(said: Statement, *, domain: Domain | None, stance: Stance) -> Statement:
    return Statement(
        stance=stance,
        subject=said.subject,
        strength=said.strength,
        quote=said.quote,
        detail=said.detail,
        domain=domain,
    )


def _statement(
    stance: Stance,
    subject: str,
    strength: int,
    quote: str,
    clause: str,
    domain: Domain | None = None,
) -> Statement:
    return Statement(
        stance=stance,
        subject=subject,
        strength=strength,
        quote=quote,
        detail=clause,
        domain=domain or domain_in(subject, clause),
    )


def _subjects(text: str) -> list[str]:
    """The names in an enumeration: ``"Rust and Kubernetes"`` → ``["Rust", "Kubernetes"]``."""
    cleaned = (_clean(one) for one in _LIST.split(_CUT.sub("", f" {text}")))
    return [one for one in cleaned if one and one.lower() not in _EMPTY and len(one.split()) <= 5]


def _clean(name: str) -> str:
    return _TAIL.sub("", _LEAD.sub("", without_marks(name).strip(" \"'“”‘’*_`"))).strip()
