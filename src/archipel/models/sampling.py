"""How a model's maker says that its tokens are best chosen, when who asks does not say."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from archipel.errors import ModelError
from archipel.files import read_json

FILE = "generation_config.json"


class UsualSampling(BaseModel):
    """What is said, by Hugging Face's names; None where nothing is."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_k: Annotated[int, Field(ge=-1)] | None = None  # less than 1: of all
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0)] | None = None  # 1: none


def usual_sampling(folder: Path) -> UsualSampling:
    """What a checkpoint's generation_config.json says.

    Raises:
        ModelError: a value is none that there can be.
        IntegrityError: it is not JSON.
    """
    path = folder / FILE
    if not path.exists():
        return UsualSampling()
    try:
        return UsualSampling.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise ModelError(
            f"{path}: {name} is {first['input']!r}: {first['msg']}. Mend the line or take it out"
        ) from error
