"""How the search engine matches a referenceId: by words, not by equality (exchanges 510 to 543).

    "flt-1"  ─ indexed as the whole token "flt-1" and as its words "flt", "1"   (blended characters: all but " .,")
    "flt 1"  ─ two tokens

A query is tokens only. It must cover the whole text, in order, each token a whole token of the text or a word of
one; the last token of the text may be left in the middle: "flt" finds flt-1 and flt_1, yet not "flt 1".
"""

import re
import unicodedata

SEPARATORS = re.compile(r"[ .,\t\r\n]+")
WORD = re.compile(r"[^\W_]+")
LAST_CHARACTER = "\U0010ffff"


def fold(value: str) -> str:
    """Without case and accents: é-Ref is e-ref (exchange 517)."""
    decomposed = unicodedata.normalize("NFKD", value.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def indexed(value: str | None) -> str | None:
    """What the index keeps: the text from its first word on, for a range search, and the whole of it."""
    if value is None:
        return None
    folded = fold(value)
    first = WORD.search(folded)
    return f"{folded[first.start() :] if first else ''}\n{folded}"


def search_range(query: str) -> tuple[str, str]:
    """The bounds between which all indexed texts lie that `query` can match."""
    first = next(iter(_tokens(fold(query))), "")
    start = WORD.search(first)
    low = first[start.start() :] if start else ""
    return low, low + LAST_CHARACTER


def matches(kept: str | None, query: str) -> bool:
    if kept is None:
        return False
    return _covers(_tokens(kept.partition("\n")[2]), _tokens(fold(query)))


def _tokens(folded: str) -> list[str]:
    return [token for token in SEPARATORS.split(folded) if token]


def _covers(document: list[str], query: list[str]) -> bool:
    if not document or not query:
        return not document and not query
    if document[0] == query[0] and _covers(document[1:], query[1:]):
        return True
    words = WORD.findall(document[0])
    if query[: len(words)] == words and words and _covers(document[1:], query[len(words) :]):
        return True
    return len(document) == 1 and query == words[: len(query)]
