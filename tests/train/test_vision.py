"""A run that trains a model that sees, over the sites, the ledger and the audit of all others."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw
from transformers import AutoProcessor, LlavaForConditionalGeneration

from archipel.corpus import TokenReader, read_manifest
from archipel.corpus.left_out import LeftOut
from archipel.corpus.pictures import PictureOptions, build_picture_corpus
from archipel.store import Store
from archipel.train.create import RunOptions, create_run
from archipel.train.group import Group
from archipel.train.inner import InnerOptimiser
from archipel.train.kinds import kind_of, run_model
from archipel.train.sharding import InsideOptions
from tests.images.coloured import RGB
from tests.train.processes import Site, archipel, audited

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:transformers"),
]

SIDE = 16
SHAPES = ("disc", "bar", "frame", "cross")
QUESTION = "What is this?"


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


def write_asked(folder: Path, question: str = QUESTION) -> None:
    """Four shapes in four colours at three places, the last held out, and what they are."""
    folder.mkdir()
    lines = []
    for number, (shape, colour, shift) in enumerate(
        (shape, colour, shift) for shape in SHAPES for colour in RGB for shift in range(3)
    ):
        drawn(shape, colour, shift).save(folder / f"{number}.png")
        asked = [{"question": question, "answer": f"{colour} {shape}"}]
        split = "held_out" if shift == 2 else "train"
        lines.append({"file_name": f"{number}.png", "asked": asked, "split": split})
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")


def build(folder: Path, out: Path, caption_tokens: int = 12) -> LeftOut:
    left_out = LeftOut()
    options = PictureOptions(size=SIDE, values=24, caption_tokens=caption_tokens, vocab_size=320)
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
    rows = torch.from_numpy(reader.read(0, reader.tokens).reshape(32, -1))
    torch.manual_seed(0)
    losses = [steps.step(rows, rows, 1e-3, targets=rows.numel()) for _ in range(60)]
    assert losses[-1] < losses[0] / 3
    tensors = {name: p.detach().numpy() for name, p in model.named_parameters()}
    facts = {"name": "shapes", "parameters": 1, "tokens": 2, "sites": 1, "rounds": 1}
    facts |= {"held_out_loss": None, "corpus_digest": "", "date": ""}
    kind_of("llava").save(tmp_path / "model", model.config, tensors, corpus, facts)  # type: ignore[arg-type]
    right = list(answers(tmp_path / "model"))
    assert sum(right) >= 12, right


def answers(folder: Path) -> Iterator[bool]:
    """Whether transformers, as its users call it, names each shape in its colour."""
    model = LlavaForConditionalGeneration.from_pretrained(folder)
    processor = AutoProcessor.from_pretrained(folder)
    content = [{"type": "image"}, {"type": "text", "text": QUESTION}]
    prompt = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True
    )
    for shape in SHAPES:
        for colour in RGB:
            inputs = processor(images=drawn(shape, colour, 1), text=prompt, return_tensors="pt")
            ids = model.generate(**inputs, max_new_tokens=12, do_sample=False)
            said = processor.decode(ids[0, inputs.input_ids.shape[1] :], skip_special_tokens=True)
            yield said == f"{colour} {shape}"
