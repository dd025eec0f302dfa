"""Find words in one's history: accents don't matter, the last word may be unfinished."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

_WORD = re.compile(r"\w+")
_WORDS = 12
_MARK = "\x02\x03"  # around what was found, in the piece that is shown
# The words' tables lead: by their row's number they need no sorting, and what is not shown costs
# no snippet. SQLite takes a CROSS JOIN in the order in which it is written.
_SQLITE = text(
    """
    SELECT m.conversation AS id, c.title, m.id AS message, m.created,
      snippet(text_words, 0, :before, :after, '…', 16) AS piece
    FROM text_words CROSS JOIN messages m ON m.id = text_words.rowid
    CROSS JOIN conversations c ON c.id = m.conversation
    WHERE text_words MATCH :words AND c.owner = :owner
    ORDER BY text_words.rowid DESC LIMIT :limit
    """
)
_SQLITE_TITLES = text(
    """
    SELECT c.id, c.title, NULL AS message, c.changed AS created,
      highlight(title_words, 0, :before, :after) AS piece
    FROM title_words CROSS JOIN conversations c ON c.id = title_words.rowid
    WHERE title_words MATCH :words AND c.owner = :owner
    ORDER BY c.changed DESC LIMIT :limit
    """
)
_OPTIONS = "'StartSel=' || :before || ',StopSel=' || :after || ',MaxWords=16,MinWords=8'"
_FOLDED = "àâäáãåçéèêëíìîïñóòôöõúùûüýÿ", "aaaaaaceeeeiiiinooooouuuuyy"
_POSTGRESQL = text(
    f"""
    SELECT m.conversation AS id, c.title, m.id AS message, m.created,
      ts_headline('simple', left(m.text, 20000), to_tsquery('simple', :shown), {_OPTIONS}) AS piece
    FROM messages m JOIN conversations c ON c.id = m.conversation
    WHERE m.text_words @@ to_tsquery('simple', :words) AND c.owner = :owner
    ORDER BY m.id DESC LIMIT :limit
    """
)
_POSTGRESQL_TITLES = text(
    f"""
    SELECT c.id, c.title, NULL AS message, c.changed AS created,
      ts_headline('simple', c.title, to_tsquery('simple', :shown), {_OPTIONS}) AS piece
    FROM conversations c
    WHERE c.title_words @@ to_tsquery('simple', :words) AND c.owner = :owner
    ORDER BY c.changed DESC LIMIT :limit
    """
)


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A message, or a title where `message` is None. `piece` is what surrounds the words, cut at
    them: every second part is a word that was found."""

    conversation: int
    title: str
    message: int | None
    created: float
    piece: Sequence[str]


def search(connection: Connection, owner: str, asked: str, limit: int) -> list[Hit]:
    """Titles first, then messages, the newest first: those with all the words (the last one may be
    the beginning of one). Of a text without words, nothing."""
    words = _WORD.findall(asked.replace("\0", " "))[:_WORDS]
    if not words:
        return []
    values = {"owner": owner, "limit": limit, "before": _MARK[0], "after": _MARK[1]}
    if connection.dialect.name == "sqlite":
        queries = _SQLITE_TITLES, _SQLITE
        values["words"] = " ".join(f'"{word}"' for word in words) + "*"
    else:
        queries = _POSTGRESQL_TITLES, _POSTGRESQL
        folding = str.maketrans(*_FOLDED)
        values["words"] = " & ".join(word.lower().translate(folding) for word in words) + ":*"
        values["shown"] = " | ".join(words) + ":*"
    rows = [row for query in queries for row in connection.execute(query, values)]
    return [
        Hit(
            conversation=row.id,
            title=row.title,
            message=row.message,
            created=row.created,
            piece=re.split(f"[{_MARK}]", row.piece),
        )
        for row in rows[:limit]
    ]
