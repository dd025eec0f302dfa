"""Eyes that are taught before anything is asked, and the model that begins with them."""

from pathlib import Path

import pytest
import torch
from transformers import LlavaForConditionalGeneration, SiglipVisionConfig
from typer.testing import CliRunner, Result

from archipel.cli.main import app
from archipel.corpus import TokenReader, read_manifest
from archipel.corpus.left_out import LeftOut
from archipel.corpus.pictures import Picture, read_pictures
from archipel.errors import ConfigError, IntegrityError
from archipel.images.naming import Namer, Tower
from archipel.images.seeing_sizes import SIZES, seeing_config, sight_config
from archipel.images.sighted import give_eyes
from archipel.ledger import InnerSpec
from archipel.store import Store
from archipel.train.create import RunOptions, create_run
from archipel.train.eyes import Schooling, Shown, named_share, shown, teach, thing
from archipel.train.group import Group
from archipel.train.inner import InnerOptimiser
from archipel.train.kinds import run_model
from archipel.train.sharding import InsideOptions
from archipel.train.vision import Vision
from archipel.tune.work import Work
from tests.images import coloured
from tests.train.test_vision import SIDE, build, write_asked

CONFIG = sight_config(SIZES["vision-nano"], SIDE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("shapes")
    write_asked(found / "pictures")
    build(found / "pictures", found / "corpus")
    return found


@pytest.fixture(scope="module")
def pictures(folder: Path) -> list[Picture]:
    return list(read_pictures([folder / "pictures"], SIDE, LeftOut()))


def parted(pictures: list[Picture]) -> tuple[Shown, Shown]:
    names = sorted({thing(one) for one in pictures})
    learnt, unseen = (
        shown([one for one in pictures if bool(one.held_out) == hidden], names)
        for hidden in (False, True)
    )
    return learnt, unseen


def taught(
    lessons: Shown, schooling: Schooling, work: Work, stop_after: int | None = None
) -> tuple[Namer, list[tuple[str, int]]]:
    told: list[tuple[str, int]] = []

    def show(who: str, done: int, count: int) -> None:
        told.append((who, done))
        if len(told) == stop_after:
            raise KeyboardInterrupt

    namer, seconds = teach(CONFIG, lessons, schooling, work, show)
    assert seconds > 0
    return namer, told


def test_they_tell_apart_what_they_learnt_at_places_where_it_never_was(
    pictures: list[Picture], tmp_path: Path
) -> None:
    learnt, unseen = parted(pictures)
    assert (len(learnt.things), len(unseen.things)) == (32, 16)
    schooling = Schooling(teacher_passes=12, passes=20, teacher_batch=32, batch=32)
    namer, _ = taught(learnt, schooling, Work(tmp_path / "out"))
    assert named_share(namer, learnt) > 0.8
    assert named_share(namer, unseen) > 0.4  # guessing: 1 of 16


def test_stopped_they_go_on_after_the_last_pass(pictures: list[Picture], tmp_path: Path) -> None:
    learnt, _ = parted(pictures)
    schooling, work = Schooling(teacher_passes=2, passes=2), Work(tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        taught(learnt, schooling, work, stop_after=3)
    _, told = taught(learnt, schooling, work)
    assert told == [("pupil", 2)]
    with pytest.raises(ConfigError, match="another passes"):
        taught(learnt, Schooling(teacher_passes=2, passes=3), work)
    checkpoint = work.folder / "checkpoint.safetensors"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(IntegrityError, match="is damaged"):
        taught(learnt, schooling, work)


def eyes(*words: object) -> Result:
    return CliRunner().invoke(app, ["run", "eyes", *map(str, words)])


def test_a_run_begins_with_them_and_hands_them_on(folder: Path, tmp_path: Path) -> None:
    corpus, start = folder / "corpus", tmp_path / "start"
    asked = [folder / "pictures", "--corpus", corpus, "-o", start]
    done = eyes(*asked, "--teacher-passes", 1, "--passes", 1)
    assert done.exit_code == 0, done.output
    assert "pupil, 1 of 1 passes" in done.output
    assert "eyes_named_top1_share" in done.output
    assert not list(tmp_path.glob("*.unfinished"))
    options = RunOptions(model=str(start), tokens=2_000, learning_rate=0.004)
    ledger = create_run(Store(str(tmp_path / "run")), corpus, options)
    begun = run_model(ledger.spec)
    learnt = {name for name, p in begun.named_parameters() if p.requires_grad}
    assert learnt
    assert not [name for name in learnt if "vision_tower" in name]
    again = eyes(*asked)
    assert isinstance(again.exception, ConfigError)
    assert "exists already" in str(again.exception)


def test_what_can_not_be_taught_is_said_at_once(folder: Path, tmp_path: Path) -> None:
    corpus = folder / "corpus"
    unknown = eyes(folder / "pictures", "--corpus", corpus, "-o", tmp_path / "a", "--model", "nano")
    assert "vision-nano or vision-micro" in str(unknown.exception)
    coloured.write_pictures(tmp_path / "captioned")  # nothing is asked about them
    mute = eyes(tmp_path / "captioned", "--corpus", corpus, "-o", tmp_path / "b")
    assert "none of the pictures has a question" in str(mute.exception)


def test_what_nothing_is_asked_about_teaches_nothing(pictures: list[Picture]) -> None:
    first, second, *_ = pictures
    found = shown([first, second], [thing(second)])
    assert found.things.tolist() == [0] * (1 + (thing(first) == thing(second)))


def test_a_model_that_is_given_eyes_keeps_them_and_learns_all_else(
    folder: Path, pictures: list[Picture]
) -> None:
    corpus = folder / "corpus"
    manifest = read_manifest(corpus)
    config = seeing_config("vision-nano", manifest, corpus)
    model = Vision().new_model(config, 0)
    assert isinstance(model, LlavaForConditionalGeneration)
    torch.manual_seed(1)
    assert isinstance(config.vision_config, SiglipVisionConfig)
    eyes, learnt = Tower(config.vision_config).eyes, parted(pictures)[0]
    give_eyes(model, eyes, learnt.pictures)

    told = eyes(pixel_values=learnt.pictures, output_hidden_states=True).hidden_states[-1]
    linear = model.model.multi_modal_projector.linear_1
    plain = torch.nn.functional.linear(told.flatten(0, 1), linear.weight, linear.bias)
    assert plain.mean(0).abs().max() < 1e-3  # what the projector sees is of mean 0

    restarted = Vision().new_model(Vision().config(model.config.to_dict()), 0)
    restarted.load_state_dict(model.state_dict())
    Vision().equip(restarted, corpus)
    spec = InnerSpec(
        optimiser="muon",
        learning_rate=1e-3,
        warmup_tokens=0,
        batch_sequences=8,
        sequence_tokens=manifest.row_tokens or 0,
    )
    before = {name: p.detach().clone() for name, p in restarted.named_parameters()}
    steps = InnerOptimiser(restarted, spec, InsideOptions(), Group(torch.device("cpu")))
    rows = TokenReader(corpus, manifest, "train").read(0, 8 * spec.sequence_tokens)
    rows_BT = torch.from_numpy(rows.reshape(8, -1))
    steps.step(rows_BT, rows_BT, 1e-3, targets=rows_BT.numel())
    moved = {name for name, p in restarted.named_parameters() if not p.equal(before[name])}
    assert moved
    assert {name for name in before if "vision_tower" in name}.isdisjoint(moved)
    assert {name for name in before if "vision_tower" not in name} == moved
