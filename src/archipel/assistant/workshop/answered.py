"""The code and the words in a model's answer in Markdown. Pure."""

import ast
from dataclasses import dataclass

from markdown_it import MarkdownIt

from archipel.replacements import replace, replacements_in, without_blocks

_PYTHON = {"python", "python3", "py"}
_MOST_CHARACTERS = 200_000


@dataclass(frozen=True)
class Proposal:
    """A new version of the code and what the model said beside it."""

    code: str
    words: str


def read_version(answer: str, code: str) -> Proposal | None:
    """A new version of `code`: what SEARCH/REPLACE blocks make of it, or else the code in the
    answer; None if there is none, or the lines of a block are not in the code."""
    if len(answer) <= _MOST_CHARACTERS and (replacements := replacements_in(answer)):
        changed = replace(code, replacements)
        return None if changed is None else Proposal(changed, without_blocks(answer))
    return read_answer(answer)


def read_answer(answer: str) -> Proposal | None:
    """The last block marked as Python, or else the last unmarked one, or the whole answer if it is
    Python; None if there is no code."""
    if len(answer) > _MOST_CHARACTERS:
        return None
    fences = [token for token in MarkdownIt().parse(answer) if token.type == "fence"]
    languages = [(token.info.split() or [""])[0].lower() for token in fences]
    for wanted in (_PYTHON, {""}):
        for token, language in reversed(list(zip(fences, languages, strict=True))):
            if language in wanted and token.content.strip() and token.map:
                lines = answer.splitlines()
                words = "\n".join([*lines[: token.map[0]], *lines[token.map[1] :]])
                return Proposal(token.content, words.strip())
    return Proposal(answer, "") if not fences and _is_program(answer) else None


def _is_program(text: str) -> bool:
    """Whether `text` is Python that does something: a lone word is an expression, too."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError):
        return False
    return any(not isinstance(node, ast.Expr) for node in body)
