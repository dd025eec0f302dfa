"""Pictures by a pipeline of diffusers: Stable Diffusion, FLUX and their like. Knows no HTTP."""

import inspect
import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoPipelineForImage2Image,
    AutoPipelineForInpainting,
    AutoPipelineForText2Image,
    DiffusionPipeline,
)
from diffusers.utils import logging as diffusers_logging
from PIL import Image

from archipel.errors import ModelError
from archipel.images.painter import Ability, Order, Sizes, Tell
from archipel.pictures import on_white

_SIDE_STEP = 8  # in pixels, that most pipelines demand
_LEAST_SHARE, _MOST_SHARE = 4, 2  # of the usual side: below and above pictures fall to pieces
_USUAL_SIDE = 512  # of a pipeline that does not say
_KINDS: dict[Ability, Any] = {
    "generate": AutoPipelineForText2Image,
    "edit": AutoPipelineForImage2Image,
    "inpaint": AutoPipelineForInpainting,
}
_log = logging.getLogger(__name__)


class _StoppedError(Exception):
    """Nobody wants the picture any more."""


class DiffusersPainter:
    """A pipeline in memory, on the accelerator if there is one. As `Painter`."""

    def __init__(self, folder: Path, threads: int) -> None:
        """Load `folder`: data only, nothing from a network.

        Raises:
            ModelError: it can't be loaded, or makes no pictures from words.
        """
        torch.set_num_threads(threads)
        diffusers_logging.set_verbosity_error()  # what it warns of quotes the words
        on_gpu = torch.cuda.is_available()
        try:
            loaded = DiffusionPipeline.from_pretrained(
                folder,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                dtype=torch.bfloat16 if on_gpu else torch.float32,
            ).to("cuda" if on_gpu else "cpu")
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
            raise ModelError(
                f"{folder} can't be loaded: {error}. Its weights must be whole, and safetensors"
            ) from error
        self._pipelines = _pipelines(loaded)
        if "generate" not in self._pipelines:
            raise ModelError(
                f"{folder} is a {type(loaded).__name__}, which makes no pictures from words. Give "
                "a model that does"
            )
        self.sizes = _sizes(loaded)
        like: set[Ability] = {"vary"} if "edit" in self._pipelines else set()
        self.abilities = frozenset[Ability]({*self._pipelines, *like})

    def paint(self, order: Order, tell: Tell) -> list[Image.Image]:
        """As `Painter.paint`."""
        pipeline = self._pipelines[_ability(order)]
        arguments = _known(pipeline, self._arguments(order))
        pictures: list[Image.Image] = []
        for number in range(order.count):
            generator = torch.Generator().manual_seed(order.seed + number)
            heard = _known(pipeline, {"callback_on_step_end": _told(order, number, tell)})
            try:
                with torch.inference_mode():
                    made = pipeline(**arguments, **heard, generator=generator)
            except _StoppedError:
                break
            pictures += [one.convert("RGB") for one in made.images]
            if not heard and tell(number + 1, order.count):
                break
        return pictures

    def _arguments(self, order: Order) -> dict[str, Any]:
        """For the pipeline, all but what differs from one picture to the next."""
        wanted: dict[str, Any] = {"prompt": order.prompt, "output_type": "pil"}
        if order.steps is not None:
            wanted["num_inference_steps"] = order.steps
        if order.guidance is not None:
            wanted["guidance_scale"] = order.guidance
        width, height = order.width, order.height
        if order.image is not None:
            own = self.sizes.nearest(*order.image.size)
            width, height = width or own[0], height or own[1]
            one_step = (1 + 1e-6) / order.steps if order.steps else 0.0
            strength = min(1.0, max(order.strength, one_step))
            wanted |= {"image": on_white(order.image).resize((width, height)), "strength": strength}
            if order.mask is not None:
                kept = order.mask.convert("RGBA").getchannel("A").resize((width, height))
                wanted["mask_image"] = kept.point(lambda opaque: 255 - opaque)
        return wanted | {"width": width, "height": height}


def _ability(order: Order) -> Ability:
    if order.image is None:
        return "generate"
    return "edit" if order.mask is None else "inpaint"


def _pipelines(loaded: Any) -> dict[Ability, Any]:
    """What the parts that are loaded can be put together to; they are shared."""
    found: dict[Ability, Any] = {}
    for ability, kind in _KINDS.items():
        try:
            found[ability] = kind.from_pipe(loaded)
        except (ValueError, TypeError, AttributeError) as error:
            _log.info("%s can't %s: %s", type(loaded).__name__, ability, error)
            continue
        found[ability].set_progress_bar_config(disable=True)
    return found


def _sizes(loaded: Any) -> Sizes:
    scale = getattr(loaded, "vae_scale_factor", 1)
    latent = getattr(loaded, "default_sample_size", None)
    if latent is None:
        core = getattr(loaded, "unet", None) or getattr(loaded, "transformer", None)
        latent = getattr(getattr(core, "config", None), "sample_size", None)
    side = latent * scale if isinstance(latent, int) else _USUAL_SIDE
    processor = getattr(getattr(loaded, "image_processor", None), "config", {})
    step = math.lcm(_SIDE_STEP, processor.get("vae_scale_factor", scale))
    side = max(step, side // step * step)
    least = max(step, side // _LEAST_SHARE // step * step)
    return Sizes((side, side), step, least, side * _MOST_SHARE)


def _known(pipeline: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """Those that the pipeline takes."""
    taken = inspect.signature(pipeline.__call__).parameters
    return {name: value for name, value in arguments.items() if name in taken}


def _told(order: Order, number: int, tell: Tell) -> Callable[..., dict[str, Any]]:
    """What a pipeline calls after each step of picture `number`."""

    def heard(pipeline: Any, step: int, time: Any, state: dict[str, Any]) -> dict[str, Any]:
        # A few pipelines do not count them.
        steps = getattr(pipeline, "num_timesteps", None) or len(pipeline.scheduler.timesteps)
        if tell(number * steps + step + 1, order.count * steps):
            raise _StoppedError
        return state

    return heard
