"""A picture model's folder: `model_index.json` names its parts, each in a folder of its own."""

from pathlib import Path
from typing import Any

from archipel.errors import IntegrityError, ModelError
from archipel.files import read_json
from archipel.models.sizes import PICTURES_INDEX, makes_pictures

OWN_CLASS = "ArchipelFlow"
_LIBRARIES = ("diffusers", "transformers", "stable_diffusion")  # the last: of its safety checker


def read_index(folder: Path) -> dict[str, Any]:
    """What the index says, if all that it names is a known library's.

    Raises:
        ModelError: it is lacking or is no index, or the folder has programs in it or an index that
            names some.
    """
    remedy = "Give a folder as `save_pretrained` of diffusers or `archipel` writes it"
    if not makes_pictures(folder):
        raise ModelError(
            f"{folder} has no {PICTURES_INDEX}, so it is no model of pictures. {remedy}"
        )
    try:
        index = read_json(folder / PICTURES_INDEX)
    except (IntegrityError, UnicodeDecodeError) as error:
        raise ModelError(f"{folder / PICTURES_INDEX} can't be read: {error}. {remedy}") from error
    if not isinstance(index, dict) or not isinstance(index.get("_class_name"), str):
        raise ModelError(f"{folder / PICTURES_INDEX} has no _class_name of one word. {remedy}")
    for name, value in index.items():
        if not _is_harmless(value):
            raise ModelError(
                f"{folder / PICTURES_INDEX}: {name!r} is {value}, which is of none of "
                f"{', '.join(_LIBRARIES)}. Other programs are never run: use another model"
            )
    if program := next(folder.rglob("*.py"), None):
        raise ModelError(
            f"{program} is a program, and no model's own program is run. Remove it if the model "
            "does without, or use another"
        )
    return index


def _is_harmless(value: Any) -> bool:
    """Whether it names no part, or one of a known library."""
    if not isinstance(value, list) or not value or not isinstance(value[0], str):
        return True
    library, *names = value
    known = library in _LIBRARIES and len(names) == 1
    return known and isinstance(names[0], str) and names[0].isidentifier()
