"""A run that trains a model that sees, over the sites, the ledger and the audit of all others."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw

from archipel.corpus import TokenReader, read_manifest
from archipel.corpus.answers import NO_TARGET
from archipel.corpus.left_out import LeftOut
from archipel.corpus.manifest import TOKENIZER
from archipel.corpus.pictures import PictureOptions, build_picture_corpus
from archipel.corpus.tokenizer import load_tokenizer
from archipel.errors import ConfigError
from archipel.images.seeing import Rows
from archipel.images.seeing_sizes import seeing_config
from archipel.images.viewer import open_viewer
from archipel.store import Store
from archipel.train.create import RunOptions, create_run
from archipel.train.group import Group
from archipel.train.inner import InnerOptimiser
from archipel.train.kinds import kind_of, run_model
from archipel.train.sharding import InsideOptions
from tests.images import coloured
from tests.images.coloured import RGB
from tests.models.seers import some_facts
from tests.train.processes import Site, archipel, audited

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:transformers"),
]

SIDE = 16
SHAPES = ("disc", "bar", "frame", "cross")
QUESTIONS = ("What is this?", "Name it.")


def drawn(shape: str, colour: str, shift: int) -> Image.Image:
    picture = Image.new("RGB", (SIDE, SIDE), "white")
    draw, ink = ImageDraw.Draw(picture), RGB[colour]
    left = 2 + shift
    if shape == "disc":
        draw.ellipse((left, 2, left + 10, 12), ink)
    elif shape == "bar":
        draw.rectangle((left, 5, left + 11, 9), ink)
    elif shape == "frame":
        draw.rectangle((left, 2, left + 10, 12), outline=ink, width=2)
    else:
        draw.line((left, 2, left + 10, 12), ink, 3)
        draw.line((left, 12, left + 10, 2), ink, 3)
    return picture


def write_asked(folder: Path) -> None:
    """Four shapes in four colours at three places, the last held out, and what they are."""
    folder.mkdir()
    lines = []
    for number, (shape, colour, shift) in enumerate(
        (shape, colour, shift) for shape in SHAPES for colour in RGB for shift in range(3)
    ):
        drawn(shape, colour, shift).save(folder / f"{number}.png")
        asked = [{"question": one, "answer": f"{colour} {shape}"} for one in QUESTIONS]
        split = "held_out" if shift == 2 else "train"
        lines.append({"file_name": f"{number}.png", "asked": asked, "split": split})
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")


def build(folder: Path, out: Path, caption_tokens: int = 12, size: int = SIDE) -> LeftOut:
    left_out = LeftOut()
    options = PictureOptions(size=size, values=24, caption_tokens=caption_tokens, vocab_size=320)
    build_picture_corpus([folder], out, options, left_out)
    return left_out


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("asked")
    write_asked(folder / "pictures")
    assert not build(folder / "pictures", folder / "corpus").counts
    return folder / "corpus"


def test_two_sites_train_it_and_each_row_is_learnt_once(corpus: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = ["--model", "vision-nano", "--tokens", "1500", "--batch", 4, "--sync", 4]
    done = archipel("run", "create", run, "--corpus", corpus, *words)
    assert done.returncode == 0, done.stderr
    sites = [Site(run, name) for name in ("a", "b")]
    for site in sites:
        assert site.process.wait(120) == 0, site.log.read_text(encoding="utf-8")
    figures = audited(run)
    assert figures["finished"] is True
    assert figures["tokens"] == figures["budget_tokens"]
    assert (figures["duplicate_tokens"], figures["skipped_tokens"]) == (0, 0)
    done = archipel("run", "export", run, tmp_path / "model", "--gguf", "q8_0")
    assert done.returncode == 0, done.stderr
    assert "nats/token of answers" in done.stdout
    assert {"model-q8_0.gguf", "mmproj-model-f16.gguf"} <= {
        file.name for file in (tmp_path / "model").iterdir()
    }
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert "image-text-to-text" in card


def test_it_learns_to_name_what_it_sees(corpus: Path, tmp_path: Path) -> None:
    ledger = create_run(
        Store(str(tmp_path / "run")), corpus, RunOptions(model="vision-nano", tokens=2_000)
    )
    model = run_model(ledger.spec, corpus)
    steps = InnerOptimiser(model, ledger.spec.inner, InsideOptions(), Group(torch.device("cpu")))
    reader = TokenReader(corpus, read_manifest(corpus), "train")
    rows = torch.from_numpy(reader.read(0, reader.tokens).reshape(2, 32, -1))
    torch.manual_seed(0)
    losses = [
        steps.step(rows[n % 2], rows[n % 2], 1e-3, targets=rows[0].numel()) for n in range(60)
    ]
    assert losses[-1] < losses[0] / 3
    tensors = {name: p.detach().numpy() for name, p in model.named_parameters()}
    kind_of("llava").save(tmp_path / "model", model.config, tensors, corpus, some_facts("shapes"))
    viewer = open_viewer(tmp_path / "model")
    said = {
        f"{colour} {shape}": viewer.answer(drawn(shape, colour, 1), QUESTIONS[0])
        for shape in SHAPES
        for colour in RGB
    }
    assert sum(wanted == answer for wanted, answer in said.items()) >= 12, said


def test_a_model_that_sees_needs_questions(tmp_path: Path) -> None:
    coloured.write_pictures(tmp_path / "pictures")
    coloured.build(tmp_path / "pictures", tmp_path / "corpus")
    store = Store(str(tmp_path / "run"))
    with pytest.raises(ConfigError, match="no questions about pictures"):
        create_run(store, tmp_path / "corpus", RunOptions(model="vision-nano"))
    assert not (tmp_path / "run" / "run.json").exists()


def test_pictures_that_no_patches_fill_are_refused(tmp_path: Path) -> None:
    write_asked(tmp_path / "pictures")
    build(tmp_path / "pictures", tmp_path / "corpus", size=18)
    store = Store(str(tmp_path / "run"))
    with pytest.raises(ConfigError, match="--size 20"):
        create_run(store, tmp_path / "corpus", RunOptions(model="vision-nano"))


def test_only_answers_and_their_ends_are_learnt_wherever_the_picture_is(corpus: Path) -> None:
    manifest = read_manifest(corpus)
    assert manifest.row_tokens
    config = seeing_config("vision-nano", manifest, corpus)
    rows = Rows(manifest, corpus, config)
    read = TokenReader(corpus, manifest, "train").read(0, 2 * manifest.row_tokens)
    rows_BT = torch.from_numpy(read.reshape(2, -1))
    tokenizer = load_tokenizer(corpus / TOKENIZER)
    for behind in (False, True):
        ids_BT, targets_BT = rows.words(rows_BT, torch.tensor([behind, behind]))
        for ids, targets in zip(ids_BT, targets_BT, strict=True):
            assert int((ids == config.image_token_index).sum()) == 16
            said = tokenizer.decode(targets[targets != NO_TARGET].tolist(), False)
            colour, shape = said.removesuffix("<|im_end|>").split()
            assert colour in RGB
            assert shape in SHAPES
            asked = tokenizer.decode(ids[ids != config.image_token_index].tolist(), False)
            asked, _, answer = asked.removeprefix("<|user|>").partition("<|assistant|>")
            assert asked in QUESTIONS
            assert answer.startswith(f"{colour} {shape}")
