"""Where the sentences of a text begin and end. Knows French and English habits only."""

import re

_END = re.compile(r"[.!?…]+[\"'”’»)\]]*(?=\s)|\n")
_NO_END = re.compile(
    r"(?:\b(?:M|MM|Mme|Mmes|Mlle|Dr|Mr|Mrs|Ms|Prof|St|art|al|p|pp|vol|n|no|cf|ex|env|etc|fig|vs"
    r"|e\.g|i\.e|tél|tel|Inc|Ltd|Co)|\b[A-Z])\.$"
)


def sentences(text: str) -> list[tuple[int, int]]:
    """Start and end of each sentence in `text`, blanks around it left out."""
    found: list[tuple[int, int]] = []
    start = 0
    for match in _END.finditer(text):
        following = text[match.end() :].lstrip()[:1]
        if _NO_END.search(text[start : match.end()]) or following.islower():
            continue
        _add(found, text, start, match.end())
        start = match.end()
    _add(found, text, start, len(text))
    return found


def _add(found: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    if piece.strip():
        begin = start + len(piece) - len(piece.lstrip())
        found.append((begin, begin + len(piece.strip())))
