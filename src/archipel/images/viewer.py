"""What a model that sees says of a picture, through transformers as its users have it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers import AutoProcessor, LlavaForConditionalGeneration

from archipel.errors import ModelError
from archipel.images.seeing_folder import load_seeing

_MOST_TOKENS = 32


@dataclass(frozen=True)
class Viewer:
    """A model with what makes pictures and words ready for it."""

    model: LlavaForConditionalGeneration
    processor: Any

    @torch.no_grad()
    def answer(self, picture: Image.Image, question: str) -> str:
        """The likeliest answer to a question about a picture in RGB."""
        content = [{"type": "image"}, {"type": "text", "text": question}]
        prompt = self.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True
        )
        inputs = self.processor(images=picture, text=prompt, return_tensors="pt")
        generates: Any = self.model
        ids = generates.generate(**inputs, max_new_tokens=_MOST_TOKENS, do_sample=False)
        said = ids[0, inputs["input_ids"].shape[1] :]
        return str(self.processor.decode(said, skip_special_tokens=True))


def open_viewer(folder: Path) -> Viewer:
    """The model in a folder that `archipel run export` wrote.

    Raises:
        ModelError: a file is missing or damaged, or it is another model.
    """
    model = load_seeing(folder)
    model.eval()
    try:
        processor = AutoProcessor.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{folder} does not say how pictures are made ready ({error}): export it again"
        ) from error
    return Viewer(model, processor)
