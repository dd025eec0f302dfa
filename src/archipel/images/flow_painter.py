"""Pictures by one of our own models."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from archipel.corpus.manifest import TOKENIZER
from archipel.corpus.pictures import Latents
from archipel.corpus.pictures.decoding import squared
from archipel.corpus.tokenizer import load_tokenizer
from archipel.errors import ArchipelError, ModelError
from archipel.images.flow_folder import code_file, load_flow
from archipel.images.painter import Ability, Order, Sizes, Tell
from archipel.images.sampling import Course, sample
from archipel.pictures import on_white

_STEPS = 24
_GUIDANCE = 3.0
_MOST_TIMES = 8  # as many pixels a side as the model was trained on: beyond it is blur


class FlowPainter:
    """A model in memory. As `Painter`. Larger pictures than those that it was trained on are
    enlarged."""

    abilities: frozenset[Ability] = frozenset({"generate", "edit", "inpaint", "vary"})

    def __init__(self, folder: Path, threads: int) -> None:
        """Load `folder`.

        Raises:
            ModelError: it can't be loaded.
        """
        torch.set_num_threads(threads)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model = load_flow(folder).to(device)  # type: ignore[arg-type]
        self._config = self._model.config
        try:
            self._code = Latents.load(code_file(folder))
            self._tokenizer = load_tokenizer(folder / TOKENIZER)
        except ArchipelError as error:
            raise ModelError(f"{folder} is not whole: {error}") from error
        side = self._config.picture_size
        if (self._code.size, self._code.values) != (side, self._config.values):
            raise ModelError(
                f"{folder}: the code of its pictures is another model's. Export the run again"
            )
        # The model's latents of 1, as the code's.
        self._scale = self._code.scale / np.asarray(self._config.latent_scale, np.float32)
        self.sizes = Sizes((side, side), 1, side, _MOST_TIMES * side)

    def paint(self, order: Order, tell: Tell) -> list[Image.Image]:
        """As `Painter.paint`."""
        begin = 1.0 if order.image is None else min(1.0, max(order.strength, 0.02))
        noise_BV = self._noise(order)
        if order.image is not None:
            noise_BV = begin * noise_BV + (1 - begin) * self._latents(order.image)
        found_BV = sample(
            self._model,
            self._captions(order),
            noise_BV,
            Course(
                order.steps or _STEPS,
                _GUIDANCE if order.guidance is None else order.guidance,
                begin,
            ),
            tell,
        )
        if found_BV is None:
            return []
        size = self._size(order)
        pictures = [one.resize(size, Image.Resampling.BICUBIC) for one in self._pixels(found_BV)]
        if order.image is None or order.mask is None:
            return pictures
        original = order.image.convert("RGB").resize(size)
        kept = order.mask.convert("RGBA").getchannel("A").resize(size)
        return [Image.composite(original, one, kept) for one in pictures]

    def _noise(self, order: Order) -> torch.Tensor:
        rows = [
            torch.randn(
                self._config.values, generator=torch.Generator().manual_seed(order.seed + n)
            )
            for n in range(order.count)
        ]
        return torch.stack(rows).to(self._model.device)

    def _captions(self, order: Order) -> torch.Tensor:
        most, padding = self._config.caption_tokens, self._config.end_of_text_id
        ids = self._tokenizer.encode(order.prompt).ids[:most]
        row = torch.tensor(ids + [padding] * (most - len(ids)), device=self._model.device)
        return row.expand(order.count, most)

    def _size(self, order: Order) -> tuple[int, int]:
        own = self.sizes.usual if order.image is None else self.sizes.nearest(*order.image.size)
        return order.width or own[0], order.height or own[1]

    def _latents(self, image: Image.Image) -> torch.Tensor:
        pixels = squared(on_white(image), self._code.size)
        z = self._code.along(pixels.reshape(1, -1))
        return torch.from_numpy(z / self._scale).to(self._model.device)

    def _pixels(self, found_BV: torch.Tensor) -> list[Image.Image]:
        z = np.asarray(found_BV.cpu().numpy() * self._scale, np.float32)
        flat = self._code.pixels(z)
        side = self._code.size
        whole = np.round((flat + 1) * 127.5).astype(np.uint8)
        return [Image.fromarray(one) for one in whole.reshape(-1, side, side, 3)]
