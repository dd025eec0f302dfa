"""Values as JSON, so that what two programs computed can be compared outside of both.

None, bool, float, str and int of 63 bits stand for themselves; everything else is an object with
one key, its kind. What is no plain data is told by its class and attributes, or by its `repr`.
"""

import json
import math
from collections.abc import Iterator
from itertools import islice
from typing import Any

_MOST_ITEMS = 1_000_000
_MOST_LEVELS = 60
_CLOSE = 1e-9  # sums of floats in another order differ in the last digits


def encode(value: object, level: int = 0) -> Any:
    """`value` as JSON. Iterators are used up, to a million items."""
    kind = type(value)
    if kind in (type(None), bool, float, str):
        return value
    if isinstance(value, int) and kind is int:
        return value if value.bit_length() < 64 else {"int": hex(value)}
    if level >= _MOST_LEVELS:
        return {"object": [kind.__name__, "…"]}
    if kind in (list, tuple, set, frozenset, dict):
        return {kind.__name__: _encode_items(value, level + 1)}
    if isinstance(value, bytes) and kind is bytes:
        return {"bytes": value.hex()}
    if isinstance(value, Iterator):
        return {"iterator": [encode(item, level + 1) for item in islice(value, _MOST_ITEMS)]}
    return {"object": [kind.__name__, _encode_object(value, level + 1)]}


def _encode_items(value: Any, level: int) -> list[Any]:
    if isinstance(value, dict):
        pairs = [[encode(key, level), encode(item, level)] for key, item in value.items()]
        return sorted(pairs, key=json.dumps)
    items = [encode(item, level) for item in value]
    return items if isinstance(value, list | tuple) else sorted(items, key=json.dumps)


def _encode_object(value: object, level: int) -> Any:
    if hasattr(value, "dtype") and hasattr(value, "tolist"):  # NumPy's arrays and numbers
        return [str(value.dtype), encode(value.tolist(), level)]
    if type(value).__repr__ is object.__repr__ or hasattr(value, "__dataclass_fields__"):
        return encode(getattr(value, "__dict__", {}), level)
    return repr(value)


def same(one: Any, other: Any) -> bool:
    """Whether two encoded values are equal; floats to nine digits, NaN equals NaN."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        if one == other or (one != one and other != other):
            return True
        exact = isinstance(one, int) and isinstance(other, int)
        return not exact and math.isclose(one, other, rel_tol=_CLOSE)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and bool(one == other)


def show(value: Any) -> str:
    """An encoded value as a person would write it in Python."""
    if not isinstance(value, dict):
        return repr(value)
    ((kind, content),) = value.items()
    if kind in ("int", "bytes"):
        return content if kind == "int" else repr(bytes.fromhex(content))
    if kind == "dict":
        return "{" + ", ".join(f"{show(key)}: {show(item)}" for key, item in content) + "}"
    if kind == "object":
        name, rest = content
        return rest if isinstance(rest, str) else f"{name}({show(rest)})"
    items = ", ".join(map(show, content))
    if kind == "tuple":
        return f"({items},)" if len(content) == 1 else f"({items})"
    return f"[{items}]" if kind in ("list", "iterator") else f"{kind}({{{items}}})"
