"""French typography: narrow no-break spaces before ; : ! ? » and after «, in text that grows.

Code, web addresses, placeholders and entities are left as they are; so are spaces that do not
break already, and whatever is inside a number.
"""

import re

_NARROW = "\u202f"
_RULES = re.compile(
    r"(?P<kept>`[^`]*`|[a-zA-Z][\w+.-]{0,30}://\S+|\{[^{}]*\}|&#?\w{1,10};|</?[a-zA-Z][^<>]*>)"
    r"|(?<=«)[ \t]*(?=[^\s\u00a0\u202f])"
    r"|(?<=[^\s\u00a0\u202f«])[ \t]*(?=»)"
    # A sign stands at a word's end; in 10:30, a?b, [ref]: and ![alt] it is no punctuation.
    r"|(?<=[\w)»”\"’'*`}>%€$…])[ \t]*(?=[;:!?]+(?:[\s)\]»”\"*]|$))",
)
_FENCE = re.compile(r"[ \t]*(?:```|~~~)")
_MAY_BE_FENCE = re.compile(r"[ \t]*(?:`{0,2}|~{0,2})\Z")


class French:
    """Text put right while it arrives: `add` gives what is settled, `rest` what is left.

    `changes` counts the spaces that were put right.
    """

    def __init__(self) -> None:
        self._line = ""
        self._given = 0  # characters of the line, put right
        self._in_code = False
        self.changes = 0

    def add(self, text: str) -> str:
        """What is settled by now: not the last word, and nothing that may become code."""
        *ends, last = text.split("\n")
        given = "".join(self._end(end) + "\n" for end in ends)
        self._line += last
        settled = self._settled()
        given += settled[self._given :]
        self._given = max(self._given, len(settled))
        return given

    def rest(self) -> str:
        """The end of the text."""
        return self._end("")

    def _end(self, end: str) -> str:
        line, given = self._line + end, self._given
        self._line, self._given = "", 0
        fence = _FENCE.match(line) is not None
        right, changes = (line, 0) if fence or self._in_code else put_right(line)
        self._in_code ^= fence
        self.changes += changes
        return right[given:]

    def _settled(self) -> str:
        if _MAY_BE_FENCE.match(self._line) or _FENCE.match(self._line):
            return ""
        if self._in_code:
            return self._line
        shown = _RULES.sub(lambda m: "." * len(m[0]) if m["kept"] else m[0], self._line)
        ends = [shown.rfind(" "), *(shown.find(begin) for begin in "`{<")]
        end = min((at for at in ends if at >= 0), default=0) if ends[0] >= 0 else 0
        return put_right(self._line[:end].rstrip())[0]


def put_right(line: str) -> tuple[str, int]:
    """A line without its end, outside of code blocks; and how many spaces were changed. Pure."""
    changes = 0

    def right(found: re.Match[str]) -> str:
        nonlocal changes
        if found["kept"]:
            return found[0]
        changes += 1
        return _NARROW

    return _RULES.sub(right, line), changes
