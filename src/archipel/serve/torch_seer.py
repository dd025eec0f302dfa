"""A Hugging Face checkpoint that sees, answering through transformers. Knows nothing about HTTP.

Its own processor makes messages with pictures ready for it, as transformers' users have it: of what
it is to see come tensors, and their places among the tokens.
"""

import inspect
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from transformers import (
    PROCESSOR_MAPPING,
    AutoConfig,
    AutoModelForImageTextToText,
    AutoProcessor,
    ProcessorMixin,
)
from transformers.utils.import_utils import is_torchvision_available

from archipel.errors import ModelError
from archipel.serve.text_model import Prompt
from archipel.serve.torch_model import LOCAL, TorchModel, TorchTokenizer

_UNLOADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError)
_UNTAKEN = (TemplateError, ValueError, TypeError, LookupError, ArithmeticError)
_INSTEAD = 'or give mmproj = "none" in its table to serve it without its sight'


class TorchProcessor(TorchTokenizer):
    """A checkpoint's own processor, with the tokenizer and the template in it."""

    def __init__(self, processor: Any) -> None:
        super().__init__(processor.tokenizer)
        self._processor = processor
        self._picture_token = getattr(processor, "image_token_id", None)
        self._one = threading.Lock()  # at a time: ten large pictures take a gigabyte on the way

    def show(self, messages: Sequence[Mapping[str, Any]]) -> Prompt:
        try:
            with self._one:
                made = self._processor.apply_chat_template(
                    list(messages),
                    tokenize=True,
                    add_generation_prompt=True,
                    return_dict=True,
                    return_tensors="pt",
                )
        except _UNTAKEN as error:
            raise ValueError(str(error)) from error
        [ids] = made.pop("input_ids").tolist()
        return Prompt(ids, made, ids.count(self._picture_token))


class TorchSeer(TorchModel):
    """As `TorchModel`, and sees.

    Raises:
        OSError, ValueError: the checkpoint can't be loaded, or wants code of its own.
        ModelError: its processor is missing or damaged, or wants code of its own or a package that
            is not installed.
    """

    def _reader(self, folder: Path) -> TorchProcessor:
        try:
            found = _loaded(folder)
        except _UNLOADABLE as error:
            raise ModelError(
                f"{folder}: its processor, which makes pictures ready, can't be loaded: "
                f"{str(error).strip().rstrip('.')}. Code inside a checkpoint is never run. Fetch "
                f"it again, install what it needs, {_INSTEAD}"
            ) from error
        # Where there is none, transformers gives whatever else it can load.
        if not isinstance(found, ProcessorMixin) or not hasattr(found, "image_processor"):
            raise ModelError(
                f"{folder}: nothing makes pictures ready for it, for transformers knows no "
                f"processor of it, but a {type(found).__name__}. Fetch it again, {_INSTEAD}"
            )
        return TorchProcessor(found)

    def _kind(self, folder: Path) -> Any:
        return AutoModelForImageTextToText


def _loaded(folder: Path) -> Any:
    """The processor. Where torchvision is lacking, it is without the part for videos that needs it,
    if it may be: nobody shows videos here."""
    kind = type(AutoConfig.from_pretrained(folder, **LOCAL))
    whole: Any = PROCESSOR_MAPPING.get(kind, None)
    if is_torchvision_available() or whole is None or not _can_lack_videos(whole):
        return AutoProcessor.from_pretrained(folder, **LOCAL)
    parts = whole.get_attributes()[:-1]
    without: Any = type(whole.__name__, (whole,), {"get_attributes": classmethod(lambda _: parts)})
    return without.from_pretrained(folder, **LOCAL)


def _can_lack_videos(kind: Any) -> bool:
    """Whether a processor's last part is the one for videos, and may be left out."""
    last = kind.get_attributes()[-1:]  # the order is its constructor's
    defaults = [inspect.signature(kind.__init__).parameters[name].default for name in last]
    return last == ["video_processor"] and defaults == [None]
