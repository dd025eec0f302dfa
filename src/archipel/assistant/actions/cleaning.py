"""What small models put around the text that they were asked for alone, taken off as it arrives."""

import re

_FIRST = re.compile(
    r"\W{0,3}(?:sure|certainly|of course|here|below|bien sûr|certainement|voici|ci-dessous|text\b"
    r"|translat|traduc|summary|résumé|correct|rewrit|texte)",
    re.IGNORECASE,
)
_OPENING = re.compile(
    r"<text>\s*"
    r"|(?:\W{0,3}(?:sure|certainly|of course|here|below|bien sûr|certainement|voici|ci-dessous)\b"
    r"[^\n]{0,120}(?:translat|traduc|summar|résum|text|version|correct|corrig|rewr|réécr)"
    r"[^\n]{0,60}:"
    r"|\W{0,3}(?:translation|traduction|summary|résumé|corrected text|texte corrigé"
    r"|rewritten text|texte réécrit)[ \u00a0\u202f]?:\**)[ \t]*\n+",
    re.IGNORECASE,
)
_LINE = 200  # characters of a first line that may be such words
_MARKS = ("<text>", "</text>")  # around the text in the prompt; small models go on with them


class Bare:
    """An answer without white space around it and without words about it: `add` gives what is
    certain, `rest` what is left. `source` is what the model was given: what begins like such words
    there, stays. `ended`: what follows is not of the answer."""

    def __init__(self, source: str) -> None:
        self.ended = False
        self._marks = [mark for mark in _MARKS if mark not in source]
        self._keeps_opening = _OPENING.match(f"{source}\n") is not None
        self._held = ""
        self._begun = False

    def add(self, text: str) -> str:
        """What is certainly the answer by now."""
        self._held += text
        if not self._begun:
            self._held = self._held.lstrip()
            if self._may_be_opening():
                return ""
            self._begin()
        return self._let_go()

    def rest(self) -> str:
        """The end of the answer."""
        if not self._begun:
            self._begin()
        self._end_at_mark()
        return self._held.rstrip()

    def _may_be_opening(self) -> bool:
        if len(self._held) < 16:
            return True
        line, end, after = self._held.partition("\n")
        return _FIRST.match(line) is not None and not (end and after) and len(line) < _LINE

    def _begin(self) -> None:
        self._begun = True
        if not self._keeps_opening and (opening := _OPENING.match(self._held)):
            self._held = self._held[opening.end() :].lstrip()

    def _end_at_mark(self) -> None:
        found = [at for at in map(self._held.find, self._marks) if at >= 0]
        if found:
            self._held = self._held[: min(found)]
            self.ended = True

    def _let_go(self) -> str:
        """All but white space at the end and what may be a mark."""
        self._end_at_mark()
        end = len(self._held.rstrip())
        if (mark := self._held.rfind("<", max(0, end - len(_MARKS[1])))) >= 0:
            end = len(self._held[:mark].rstrip())
        given, self._held = self._held[:end], self._held[end:]
        return given
