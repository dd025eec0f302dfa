"""What a file says of a message beside its text: what is known here, in the shape that it has here.

What was checked elsewhere was not checked here, and is not kept: citations, notes on an action, the
evidence of code. Nor are numbers of things elsewhere: documents, pictures, memories.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from archipel.assistant.actions.table import chosen
from archipel.assistant.transfer.values import mapping, text
from archipel.errors import ConfigError


class _Shape(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, hide_input_in_errors=True)


_Count = Annotated[int, Field(strict=True, ge=0, lt=1 << 53)]
_Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Words = Annotated[str, Field(max_length=2_000), AfterValidator(text)]


class _Cost(_Shape):
    amount: _Number
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]


class _Error(_Shape):
    code: _Words | None = None
    message: _Words = ""


class _Action(_Shape):
    name: str
    fields: dict[str, Annotated[str, AfterValidator(text)]]


_KNOWN: Mapping[str, TypeAdapter[Any]] = {
    "completion_tokens": TypeAdapter(_Count),
    "prompt_tokens": TypeAdapter(_Count),
    "context_left": TypeAdapter(_Count),
    "left_out": TypeAdapter(_Count),
    "seconds": TypeAdapter(_Number),
    "first_seconds": TypeAdapter(_Number),
    "provider": TypeAdapter(_Words),
    "place": TypeAdapter(Literal["machine", "house", "supplier"]),
    "ended": TypeAdapter(Literal["stop", "length", "circles"]),
    "cost": TypeAdapter(_Cost),
    "error": TypeAdapter(_Error),
    "action": TypeAdapter(_Action),
}


def facts(told: Any) -> dict[str, Any]:
    """Those of an object that can be kept; of anything else none. Pure."""
    found: dict[str, Any] = {}
    for name, kind in _KNOWN.items():
        try:
            value = kind.validate_python(mapping(told).get(name))
        except ValidationError:
            continue
        found[name] = value.model_dump() if isinstance(value, _Shape) else value
    if "action" in found and not _is_known(found["action"]):
        del found["action"]
    return found


def _is_known(action: Mapping[str, Any]) -> bool:
    try:
        chosen(action["name"], action["fields"], 0)
    except ConfigError:
        return False
    return True
