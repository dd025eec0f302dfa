"""A model for a run to begin with: it sees the corpus's things, and has no words for them yet."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from transformers import LlavaForConditionalGeneration, SiglipVisionConfig

from archipel.corpus import read_manifest
from archipel.corpus.manifest import TOKENIZER
from archipel.corpus.pictures import Picture
from archipel.errors import ConfigError
from archipel.files import write_json
from archipel.images.naming import Tower
from archipel.images.seeing_folder import save_seeing
from archipel.images.seeing_sizes import seeing_config
from archipel.images.sighted import give_eyes
from archipel.models.card import RunFacts
from archipel.models.purpose import Purpose
from archipel.train.eyes import Schooling, Show, named_share, shown, teach, thing
from archipel.train.vision import Vision
from archipel.tune.work import Work

_LOOKED_AT = 512  # pictures, for the projector


def teach_eyes(
    size: str,
    corpus: Path,
    pictures: Sequence[Picture],
    schooling: Schooling,
    folder: Path,
    show: Show,
) -> None:
    """Write a model of this size to `folder`, its eyes taught by the pictures that are not held
    out; how long that took, and what share of the others they name, is in a file beside it.

    Raises:
        ConfigError: nothing is asked about the pictures or the corpus's, or `folder` can't be
            written.
        IntegrityError: an unfinished schooling is damaged.
    """
    if folder.exists():
        raise ConfigError(f"{folder} exists already: give another place, or remove it first")
    manifest, work = read_manifest(corpus), Work(folder)
    config = seeing_config(size, manifest, corpus)
    sight = config.vision_config
    assert isinstance(sight, SiglipVisionConfig)
    learnt = [one for one in pictures if not one.held_out]
    names = sorted({thing(one) for one in learnt} - {""})
    lessons = shown(learnt, names)
    namer, seconds = teach(sight, lessons, schooling, work, show)
    model = Vision().new_model(config, schooling.seed)
    assert isinstance(model, LlavaForConditionalGeneration)
    assert isinstance(namer.features, Tower)
    give_eyes(model, namer.features.eyes, lessons.pictures[:_LOOKED_AT])
    tensors = {name: p.detach().numpy() for name, p in model.named_parameters()}
    facts = {"eyes_minutes": round(seconds / 60, 1)}
    if hidden := [one for one in pictures if one.held_out]:
        facts["eyes_named_top1_share"] = round(named_share(namer, shown(hidden, names)), 4)
    write_json(told(folder), facts)
    card: RunFacts = {
        "name": f"{size}, before it has words",
        "size": size,
        "purpose": Purpose(),
        "parameters": sum(tensor.size for tensor in tensors.values()),
        "tokens": 0,
        "sites": 0,
        "rounds": 0,
        "held_out_loss": None,
        "corpus_digest": manifest.digest,
        "date": datetime.now(UTC).date().isoformat(),
    }
    save_seeing(folder, config, tensors, corpus / TOKENIZER, card)
    work.remove()


def told(folder: Path) -> Path:
    """The file beside a folder of `teach_eyes` with its figures, by the names that the report
    knows."""
    return folder.with_name(f"{folder.name}.json")


@contextmanager
def shown_on(console: Console) -> Iterator[Show]:
    """How far it has come, in a line that changes; where no line can, in one after another."""
    with console.status("teaching the eyes") as status:

        def show(who: str, done: int, count: int) -> None:
            line = f"teaching the eyes: {who}, {done} of {count} passes"
            if console.is_terminal:
                status.update(line)
            else:
                console.print(line, soft_wrap=True, markup=False)

        yield show
