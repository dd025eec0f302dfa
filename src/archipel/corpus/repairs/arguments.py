"""Arguments to call a function with, guessed from its names, defaults and annotations. Pure.

Written as Python, so that a call can be kept, shown and made again.
"""

import ast
import random
import re
from collections.abc import Callable, Mapping

from archipel.corpus.repairs.functions import parse_function

_HINTED = 0.8  # how often a hint is followed
_ALIKE = 0.6  # how often arguments without a hint are of one kind
_MOST_VARIABLE = 3

_WORDS = {
    "text": "s string str text line word name path file filename url msg message prefix suffix sep "
    "pattern char delimiter title host header quote encoding format tag label doc source",
    "number": "n i j k m x y z num number count size width length index start end stop step year "
    "month day hour pos level limit bits value amount depth offset total ord code",
    "list": "seq sequence list lst items lines iterable args values names xs elements words a "
    "parts iterator stack data population series",
    "dict": "d dict mapping map env params headers options kwargs table attrs namespace",
    "bytes": "b buf buffer bytes raw payload",
    "function": "func fn f function key predicate callback",
}
_HINTS = {word: kind for kind, words in _WORDS.items() for word in words.split()}
_TYPES = {"str": "text", "int": "number", "float": "number", "bool": "flag", "list": "list"}
_TYPES |= {"dict": "dict", "bytes": "bytes", "Callable": "function", "tuple": "list"}
_TEXTS = [
    *("", "a", "abc", "Hello, World", "a b  c", "key=value; other=2", "/usr/lib/x.py"),
    *("http://user@h.org:80/p/q?a=1#f", "  indented\n\tline\n", "<b>é & ü</b>", "3.14", "12"),
    *("A_B-c.D", "%s and %d", "aXbXc", "one\ntwo\n\nthree", "\"quoted\" 'x'", "*.txt", "[a-z]+"),
    *("a/b/../c", "en_US.UTF-8", "x, y, z", "0x1F", "(a(b)c)", "True", "name: value", "\\n$HOME ~"),
    *("-7", "2024-01-31", "a1b22"),
]
_BYTES = [b"", b"abc", b"a=b\r\n", b"\x00\xff\x10\x80", b"GIF89a", b"line one\nline two", b"aGVs"]
_DICTS = [{}, {"a": 1}, {"a": 1, "b": "x"}, {"b": [1], "a": {}}, {1: "one", 2: "two"}]


def draw_calls(function_text: str, count: int, dice: random.Random) -> list[str]:
    """So many lists of arguments, as Python; fewer where they come out the same."""
    tree = parse_function(function_text)
    assert tree is not None, function_text
    drawn = [_call(tree.args, dice) for _ in range(count)]
    return list(dict.fromkeys(drawn))


def _call(arguments: ast.arguments, dice: random.Random) -> str:
    usual = dice.choice(list(_MAKERS))
    places = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(places) - len(arguments.defaults)) + list(arguments.defaults)
    needed = defaults.count(None)
    given = needed + (dice.randint(0, len(places) - needed) if dice.random() < 0.5 else 0)
    words = [
        _value(place, default, usual, dice)
        for place, default in list(zip(places, defaults, strict=True))[:given]
    ]
    if arguments.vararg and given == len(places):
        words += [_made(usual, dice) for _ in range(dice.randint(0, _MOST_VARIABLE))]
    for place, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is None or dice.random() < 0.3:
            words.append(f"{place.arg}={_value(place, default, usual, dice)}")
    return ", ".join(words)


def _value(place: ast.arg, default: ast.expr | None, usual: str, dice: random.Random) -> str:
    hint = _hint(place, default)
    if hint and dice.random() < _HINTED:
        return _made(hint, dice)
    return _made(usual if dice.random() < _ALIKE else dice.choice(list(_MAKERS)), dice)


def _hint(place: ast.arg, default: ast.expr | None) -> str | None:
    if isinstance(place.annotation, ast.Name) and place.annotation.id in _TYPES:
        return _TYPES[place.annotation.id]
    if isinstance(default, ast.Constant) and (kind := _TYPES.get(type(default.value).__name__)):
        return kind
    words = re.findall(r"[a-z]+", place.arg.lower())
    return next((_HINTS[word] for word in reversed(words) if word in _HINTS), None)


def _made(kind: str, dice: random.Random) -> str:
    return _MAKERS[kind](dice)


def _text(dice: random.Random) -> str:
    if dice.random() < 0.8:
        return repr(dice.choice(_TEXTS))
    return repr("".join(dice.choices("abcXYZ019 ._-/:,=%\n", k=dice.randint(1, 12))))


def _number(dice: random.Random) -> str:
    if dice.random() < 0.1:
        return repr(round(dice.uniform(-10, 100), 2))
    return str(dice.choice([0, 1, 2, 3, -1, dice.randint(-10, 40), dice.randint(40, 3000)]))


def _list(dice: random.Random) -> str:
    kind = dice.choice([_number, _number, _text, _text, _pair])
    items = [kind(dice) for _ in range(dice.randint(0, 5))]
    joined = ", ".join(items)
    return f"({joined},)" if items and dice.random() < 0.2 else f"[{joined}]"


def _pair(dice: random.Random) -> str:
    return f"({_number(dice)}, {_text(dice)})"


_MAKERS: Mapping[str, Callable[[random.Random], str]] = {
    "text": _text,
    "number": _number,
    "list": _list,
    "dict": lambda dice: repr(dice.choice(_DICTS)),
    "bytes": lambda dice: repr(dice.choice(_BYTES)),
    "function": lambda dice: dice.choice(["len", "str", "bool", "abs", "repr"]),
    "flag": lambda dice: dice.choice(["True", "False"]),
    "none": lambda dice: "None",
}
