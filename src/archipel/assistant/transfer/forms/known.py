"""Which of the forms a piece of JSON is in."""

from typing import Any

from archipel.assistant.transfer.forms import chatgpt, claude, open_webui, own
from archipel.assistant.transfer.tree import Told
from archipel.errors import NotImportable

_FORMS = (own, chatgpt, claude, open_webui)


def told(element: Any) -> Told:
    """The conversation that a piece of JSON holds. Pure.

    Raises:
        NotImportable: it is none, or in a form of another version.
    """
    for form in _FORMS:
        if isinstance(element, dict) and form.is_one(element):
            return form.read(element)
    names = ", ".join(sorted(element)[:6])[:120] if isinstance(element, dict) else ""
    raise NotImportable(
        f"it is no conversation of ChatGPT, Claude, Open WebUI or Archipel: it has "
        f"{names or 'no fields'}.",
        "unknown_form",
    )
