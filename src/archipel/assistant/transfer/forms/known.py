"""Which of the forms a piece of JSON is in."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from archipel.assistant.transfer.forms import chatgpt, claude, open_webui, own
from archipel.assistant.transfer.tree import Told
from archipel.errors import NotImportable

_Fits = Callable[[Mapping[str, Any]], bool]
_Reads = Callable[[Mapping[str, Any]], Told]
_FORMS: Sequence[tuple[_Fits, _Reads]] = tuple(
    (form.is_one, form.read) for form in (own, chatgpt, claude, open_webui)
)


def told(element: Any) -> Told:
    """The conversation that a piece of JSON holds. Pure.

    Raises:
        NotImportable: it is none, or in a form of another version.
    """
    for is_one, read in _FORMS:
        if isinstance(element, dict) and is_one(element):
            return read(element)
    names = ", ".join(sorted(element)[:6])[:120] if isinstance(element, dict) else ""
    raise NotImportable(
        f"it is no conversation of ChatGPT, Claude, Open WebUI or Archipel: it has "
        f"{names or 'no fields'}.",
        "unknown_form",
    )
