"""A tuning from its data to the folder that it makes."""

import hashlib
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path

import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from archipel.corpus.left_out import LeftOut
from archipel.errors import ConfigError
from archipel.models import sampling
from archipel.models.checkpoint import generation_file, save_checkpoint
from archipel.models.sizes import end_with
from archipel.tune.adapters import Adapted, write_adapter
from archipel.tune.batches import split_items
from archipel.tune.card import tuned_card
from archipel.tune.encoding import Item, encode
from archipel.tune.lessons import Material, read_material
from archipel.tune.lora import FURTHER_FOR_LORA, Lora
from archipel.tune.losses import (
    GENTLER_BY_PREFERENCE,
    AnswerLoss,
    Likelihood,
    Objective,
    PreferenceLoss,
)
from archipel.tune.start import Start, open_start
from archipel.tune.templates import open_tokenizer, prepare_tokenizer
from archipel.tune.training import Course, Plan, Progress, Tuning
from archipel.tune.work import Work

_USUAL_WIDTH = 1024


@dataclass(frozen=True, kw_only=True)
class TuneOptions:
    """How to learn. None: by the model."""

    epochs: int = 3
    batch: int = 32  # lessons in a step
    learning_rate: float | None = None
    context: int | None = None  # tokens that a conversation may have
    held_out: float = 0.05  # the share of the lessons that is only measured on
    lora: Lora | None = None
    merge: bool = False  # the factors into the model
    prefers: bool = False  # lessons are of two answers
    beta: float = 0.1
    micro_tokens: int | None = None  # in a forward pass, padding counted
    default_template: bool = False
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """What was made and how it went; `course` has the losses."""

    folder: Path
    kind: str
    items: int
    held_out: int
    left_out: LeftOut
    trained: int
    rate: float
    default_template: bool
    course: Course = field(repr=False)


def finetune(
    path: Path,
    material: Material,
    out: Path,
    options: TuneOptions,
    stop: threading.Event,
    tell: Callable[[Progress], None],
) -> Tuned | None:
    """Tune the model at `path` and write it, or its adapter, to `out`; None if `stop` was set.

    What is unfinished is kept beside `out`, and the same call goes on with it.

    Raises:
        ConfigError: the data or an option can't be used, `out` exists or can't be written.
        ModelError: the model can't be loaded or tuned so.
        IntegrityError: the unfinished tuning is damaged.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} exists already: give another place, or remove it first")
    with tempfile.TemporaryDirectory() as temporary:
        return _finetune(path, material, out, options, _Around(Path(temporary), stop, tell))


@dataclass(frozen=True)
class _Around:
    """What a tuning is given on its way: a folder for its tokenizer, and whom to hear and tell."""

    tokenizer: Path
    stop: threading.Event
    tell: Callable[[Progress], None]


def _finetune(
    path: Path, material: Material, out: Path, options: TuneOptions, around: _Around
) -> Tuned | None:
    left_out = LeftOut()
    lessons, measured = read_material(material, left_out)
    start, work = open_start(path), Work(out)
    tokenizer, is_ours = _tokenizer(start, around.tokenizer, options)
    most_tokens = start.most_tokens(options.context)
    items, held_out = (
        encode(some, tokenizer, left_out, most_tokens=most_tokens) for some in (lessons, measured)
    )
    if not material.held_out_data:
        items, held_out = split_items(items, options.held_out)
    if not items:
        why = left_out.described() or "all lessons are held out, or there are none"
        raise ConfigError(f"there is nothing to learn from: {why}. Give other or more data")
    rate = options.learning_rate or _rate(start.model, options)
    work.begin(_job(start, options, rate, items, held_out))
    model, adapted = _to_train(start.model, options, str(path))
    if is_ours:
        end_with(model.config, tokenizer.eos_token_id)
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    plan = Plan(epochs=options.epochs, batch=options.batch, rate=rate, seed=options.seed)
    tuning = Tuning(parameters, _objective(model, options, [*items, *held_out]), plan, work)
    if not tuning.run(items, held_out, around.stop, around.tell):
        return None
    tuned = Tuned(
        folder=out,
        kind=material.kind,
        items=len(items),
        held_out=len(held_out),
        left_out=left_out,
        trained=sum(parameter.numel() for parameter in parameters.values()),
        rate=rate,
        default_template=is_ours,
        course=tuning.course,
    )
    card = _card(tuned, path.name, options, material)
    if adapted and not options.merge:
        write_adapter(out, adapted, around.tokenizer, card)
    else:
        whole = adapted.merged() if adapted else model
        tensors = {name: p.detach().cpu().numpy() for name, p in whole.named_parameters()}
        further = {sampling.FILE: generation_file(whole.config, sampling.usual_sampling(path))}
        save_checkpoint(out, whole.config, tensors, around.tokenizer, card=card, further=further)
    work.remove()
    return tuned


def _tokenizer(
    start: Start, folder: Path, options: TuneOptions
) -> tuple[PreTrainedTokenizerBase, bool]:
    """The tokenizer to tune with, whose files are left in `folder`, and whether the template is
    ours."""
    is_ours = prepare_tokenizer(
        start.tokenizer, start.folder, folder, use_default=options.default_template
    )
    if is_ours and options.lora and not options.merge:
        raise ConfigError(
            "an adapter is asked in its base model's chat template, and that has none of its own: "
            "tune the whole model first (without --lora), or give --merge for a whole model"
        )
    return open_tokenizer(folder), is_ours


def _to_train(
    model: PreTrainedModel, options: TuneOptions, base: str
) -> tuple[PreTrainedModel, Adapted | None]:
    """The model where it trains, and the adapter in it if there is to be one."""
    adapted = None
    if options.lora:
        adapted = Adapted(model, options.lora, base=base, seed=options.seed)
    nn.Module.to(model, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    return model.train(), adapted


def _rate(model: PreTrainedModel, options: TuneOptions) -> float:
    """The narrower, the faster: 2.4e-5 at a width of 4,096, as is usual, and 4e-4 at 256."""
    rate = 0.1 / getattr(model.config, "hidden_size", _USUAL_WIDTH)
    rate *= FURTHER_FOR_LORA if options.lora else 1
    return rate / (GENTLER_BY_PREFERENCE if options.prefers else 1)


def _job(
    start: Start,
    options: TuneOptions,
    rate: float,
    items: Sequence[Item],
    held_out: Sequence[Item],
) -> Mapping[str, object]:
    """What makes a tuning the same as another: as JSON has it."""
    return {
        **asdict(options),
        "learning_rate": rate,
        "model": start.digest,
        "data": _digest(items),
        "held_out_data": _digest(held_out),
    }


def _digest(items: Sequence[Item]) -> str:
    digest = hashlib.sha256()
    for item in items:
        for one in item.examples:
            digest.update(one.ids.tobytes() + one.learnt.tobytes() + b"|")
    return digest.hexdigest()


def _objective(model: PreTrainedModel, options: TuneOptions, items: Sequence[Item]) -> Objective:
    likelihood = Likelihood(model)
    most = options.micro_tokens or likelihood.usual_tokens
    if options.prefers:
        return PreferenceLoss(likelihood, most, beta=options.beta, items=items)
    return AnswerLoss(likelihood, most)


def _card(tuned: Tuned, base: str, options: TuneOptions, material: Material) -> str:
    return tuned_card(
        {
            "name": tuned.folder.resolve().name,
            "base": base,
            "kind": tuned.kind,
            "tasks": material.tasks,
            "languages": material.languages,
            "items": tuned.items,
            "epochs": options.epochs,
            "tokens": tuned.course.tokens,
            "trained": tuned.trained,
            "before": tuned.course.curve[0],
            "after": tuned.course.curve[-1],
            "template": "a plain one" if tuned.default_template else "the base model's",
            "is_adapter": bool(options.lora) and not options.merge,
            "date": date.today().isoformat(),
        }
    )
