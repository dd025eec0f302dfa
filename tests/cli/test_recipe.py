"""A recipe from its data to its figures: at two sites, on a folder, and gone on with."""

import io
import json
import lzma
import subprocess
import sys
import tarfile
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from rich.console import Console
from typer.testing import CliRunner

from archipel.cli.main import app
from archipel.cli.recipe.fine_tuned import Tuning
from archipel.cli.recipe.finish import finish
from archipel.cli.recipe.from_scratch import Scratch
from archipel.cli.recipe.studio import Studio
from archipel.cli.recipe.table import (
    RECIPES,
    Asked,
    FineTuned,
    FromScratch,
    Pictured,
    Sighted,
    Texts,
)
from archipel.cli.recipe.viewing import Viewing
from archipel.corpus import TokenReader, read_manifest, stories
from archipel.corpus.answers import NO_TARGET
from archipel.corpus.pictures import PictureOptions
from archipel.corpus.pictures.emoji import EmojiOptions, write_emoji
from archipel.corpus.repairs import DOCUMENTS, HELD_OUT, TRAIN, RepairOptions
from archipel.corpus.stories import StoryOptions
from archipel.errors import ConfigError
from archipel.ledger.cover import UNIT_STEPS
from archipel.sandbox.sandbox import Sandbox
from archipel.tune.templates import open_tokenizer

ANIMALS = {"cat": "chat", "dog": "chien", "wolf": "loup", "bear": "ours", "lion": "lion"}
TINY = FromScratch(
    about="translates what animals do",
    note="All of them sleep.",
    files=("animals.train.tsv.xz",),
    held_out=("tatoeba_en_fr.dev.tsv.xz",),
    task="translate",
    fields="en,fr",
    asked_in="en",
    vocab_size=320,
    context=64,
    model={
        "model_type": "llama",
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "tie_word_embeddings": True,
    },
    tokens=6_000,
    batch=2,
    sync_steps=8,
    learning_rate=0.01,
    sites=("athens", "bergen"),
    kind="q8_0",
    asked=(
        Asked("translate_fr_en", "Translate into English.", "{}_fr_en"),
        Asked("translate_en_fr", "Translate into French.", "{}_en_fr"),
    ),
    compared="bleu",
    speed="sentences_per_second",
    alone_words=5,
    examples="sentences",
)
CODE = replace(
    TINY,
    about="repairs sums",
    makes=RepairOptions(per_function=3, held_out=0.2),
    files=(TRAIN,),
    held_out=(HELD_OUT,),
    texts=(Texts(file=TRAIN, field="target"), Texts(file=DOCUMENTS)),
    fill_in=0.5,
    task="repair",
    fields="source,edit",
    context=128,
    tokens=2_000,
    asked=(
        Asked("repair", "Repair the code."),
        Asked("complete"),
        Asked("fill_in", called="{}_filled_in"),
    ),
    compared="repaired_share",
    speed="repairs_per_second",
    examples="functions",
)
STORIES = replace(
    RECIPES["story-chat"],
    makes=StoryOptions(held_out=0.3),
    files=(*(stories.TRAIN.format(one) for one in ("en", "fr")), "dolly.jsonl"),
    texts=(
        *(Texts(file=stories.TEXTS.format(one), times=2) for one in ("en", "fr")),
        Texts(file="novels.jsonl.xz", most_characters=100),
    ),
    vocab_size=400,
    context=128,
    model=TINY.model,
    tokens=4_000,
    batch=2,
    sync_steps=8,
    sites=("athens", "bergen"),
    asked=tuple(one for one in RECIPES["story-chat"].asked if one.task != "instructions"),
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "translation"
    folder.mkdir(parents=True)
    lines = [
        f"the {english} number {number} sleeps\tle {french} numéro {number} dort"
        for number in range(40)
        for english, french in ANIMALS.items()
    ]
    for name, some in ((TINY.files[0], lines[6:]), (TINY.held_out[0], lines[:6])):
        (folder / name).write_bytes(lzma.compress("\n".join(some).encode()))
    return folder.parent


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHIPEL_HOME", str(tmp_path / "home"))


def _make(name: str, recipe: FromScratch, data: Path, out: Path) -> Scratch:
    console = Console(quiet=True)
    kitchen = Scratch(
        name=name, recipe=recipe, data=data, out=out, sites=recipe.sites, console=console
    )
    kitchen.cook()
    finish(kitchen, None)
    return kitchen


def _joined(kitchen: Scratch | Studio) -> int:
    """How many of its sites trained: a tiny run may be over before the last of them begins."""
    logs = [(kitchen.out / f"{name}.log").read_text(encoding="utf-8") for name in kitchen.sites]
    assert all("the run is finished" in log or "nothing to train" in log for log in logs)
    assert any("joins at" in log for log in logs)
    return sum("joins at" in log for log in logs)


def test_from_data_to_figures_and_nothing_is_done_twice(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for _ in range(2):
        kitchen = _make("animals", TINY, data, out)
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert results["tokens"] >= 6_000
    assert results["sites"] == _joined(kitchen)
    assert 0 <= results["bleu_fr_en"] <= 100
    assert results["sentences_per_second"] > 0
    assert results["ms_for_5_words"] > 0
    assert len(results["examples"]) == 12
    page = (out / "README.md").read_text(encoding="utf-8")
    assert "translates what animals do" in page
    assert "was not run beside" in page
    assert "All of them sleep." in page

    finish(kitchen, out / "results.json")
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert results["bleu_single_site_difference"] == 0
    _tuned_further(kitchen, tmp_path / "tuned")


class _Heard(io.StringIO):
    """What is printed, and when some words of it have been."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self._words, self.came = words, threading.Event()

    def write(self, text: str) -> int:
        written = super().write(text)
        if self._words in self.getvalue():
            self.came.set()
        return written


def test_sites_from_elsewhere_train_a_recipes_run(data: Path, tmp_path: Path) -> None:
    heard, url = _Heard("archipel run invite"), f"file://{tmp_path / 'store'}"
    console = Console(file=heard)
    out = tmp_path / "out"
    kitchen = Scratch(
        name="animals", recipe=TINY, data=data, out=out, sites=(), run=url, console=console
    )
    with ThreadPoolExecutor() as pool:
        cooking = pool.submit(kitchen.cook)
        assert heard.came.wait(60)
        far = [sys.executable, "-m", "archipel", "site", "join", url, "--name", "far"]
        subprocess.run(far, check=True, timeout=120, capture_output=True)
        cooking.result(60)
    assert url in heard.getvalue()
    assert kitchen.facts()["sites"] == 1
    assert kitchen.gguf.exists()
    assert not (out / "run").exists()


def _tuned_further(first: Scratch, out: Path) -> None:
    """What was made learns one way alone."""
    recipe = FineTuned(
        about="translates what animals do into French",
        note="All of them sleep.",
        files=TINY.files,
        task="translate",
        fields="en,fr",
        asked_in="en",
        start=str(first.model),
        epochs=1,
        batch=8,
        kind="q8_0",
        asked=(Asked("translate_en_fr", "Translate into French."),),
        speed="sentences_per_second",
        examples="sentences",
    )
    console = Console(quiet=True)
    kitchen = Tuning(name="french", recipe=recipe, data=first.data, out=out, console=console)
    for _ in range(2):
        kitchen.cook()
    finish(kitchen, None)
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert results["held_out_loss"] < results["held_out_loss_before"]
    assert 0 <= results["bleu"] <= 100
    assert 0 <= results["bleu_before"] <= 100
    assert "was not run beside" not in (out / "README.md").read_text(encoding="utf-8")


def test_functions_are_broken_learnt_and_judged_by_running(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    code = tmp_path / "code"
    code.mkdir()
    for number in range(12):
        text = f"def add(one, number=2):\n    if number < {number}:\n        one = number\n"
        (code / f"part_{number}.py").write_text(text + f"    return [number, {number}]\n")
    out = tmp_path / "out"
    kitchen = _make("sums", CODE, code, out)
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    for key in ("repaired_share", "parses_share", "parses_share_filled_in"):
        assert 0 <= results[key] <= 1
    assert results["repairs_per_second"] > 0
    assert [said for said, _ in results["examples"]]
    assert "~~~~\ndef add(" in (out / "README.md").read_text(encoding="utf-8")
    tokenizer = open_tokenizer(kitchen.corpus / "tokenizer")
    manifest = read_manifest(kitchen.corpus)
    reader = TokenReader(kitchen.corpus, manifest, "train")
    targets = reader.read_targets(0, manifest.tokens("train"))
    learnt = tokenizer.decode(targets[targets != NO_TARGET])
    for mark in ("<<<<<<< SEARCH", "<|fim_middle|>", "<|im_end|>def add("):
        assert mark in learnt
    assert "Repair the code." not in learnt


def test_stories_are_told_and_their_likelihood_is_the_checkpoints(tmp_path: Path) -> None:
    data = _stories(tmp_path / "data")
    out = tmp_path / "out"
    kitchen = _make("tales", STORIES, data, out)
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert 0 < results["bits_per_byte_en"] < 8
    mean = (results["bits_per_byte_en"] + results["bits_per_byte_fr"]) / 2
    assert results["bits_per_byte"] == pytest.approx(mean, abs=1e-4)
    for key in ("blimp", "clams", "clams_en", "clams_fr", "ends_share_fr", "repeated_share_en"):
        assert 0 <= results[key] <= 1
    assert results["answers_per_second"] > 0
    asked = [asked for asked, _ in results["examples"]]
    assert any("histoire" in one or "suite" in one or "ensuite" in one for one in asked)
    page = (out / "README.md").read_text(encoding="utf-8")
    assert "bits per byte of held-out stories" in page

    tokenizer = open_tokenizer(kitchen.corpus / "tokenizer")
    manifest = read_manifest(kitchen.corpus)
    reader = TokenReader(kitchen.corpus, manifest, "train")
    learnt = tokenizer.decode(reader.read(0, manifest.tokens("train")))
    assert learnt.count("It was a dark night.") == 1, "one file's texts are there once"
    assert "never reached" not in learnt, "of a long text the beginning"
    assert "What is a fox?<|assistant|>An animal." in learnt


def _stories(folder: Path) -> Path:
    """Stories in both languages, a novel, an instruction, and pairs of sentences."""
    folder.mkdir()
    records = []
    for number in range(24):
        for language, begins, ends in (("en", "The fox", "slept"), ("fr", "Le renard", "dormit")):
            pages = "".join(f"##\n{begins} {number}\n{ends} {page}.\n\n" for page in range(4))
            text = f"# {begins} {number}\n\n{pages}##\n* License: [CC-BY]\n* Text: Ann\n"
            records.append({"source": "x", "id": str(number), "lang": language, "md": text})
    _write(folder / "children_stories.jsonl.xz", records)
    _write(
        folder / "novels.jsonl.xz",
        [{"text": "It was a dark night. " + "So dark. " * 9 + "never reached"}],
    )
    prompt = "Below is an instruction that is asked.\n\n### Instruction:\nWhat is a fox?\n\n"
    dolly = {"prompt": f"{prompt}### Response:\n", "response": "An animal."}
    (folder / "dolly.jsonl").write_text(json.dumps(dolly))
    pair = {"UID": "adverbs", "sentence_good": "Foxes sleep.", "sentence_bad": "Foxes sleeps."}
    with zipfile.ZipFile(folder / "BLiMP.zip", "w") as archive:
        archive.writestr("data/adverbs.jsonl", json.dumps(pair))
    with tarfile.open(folder / "clams_fr_en.tar.gz", "w:gz") as archive:
        for language in ("en", "fr"):
            text = b"True\tthe fox sleeps\nFalse\tthe fox sleep\n"
            member = tarfile.TarInfo(f"clams/{language}_evalset/simple.txt")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
    return folder


def _write(path: Path, records: list[dict[str, str]]) -> None:
    path.write_bytes(lzma.compress("\n".join(map(json.dumps, records)).encode()))


def test_what_is_missing_or_unknown_is_said(tmp_path: Path) -> None:
    runner = CliRunner()
    assert "translator-fr-en: " in runner.invoke(app, ["recipe"]).output
    unknown = runner.invoke(app, ["recipe", "cake"])
    assert "take one of translator-fr-en" in str(unknown.exception)
    sites = ["recipe", "summary", "--data", str(tmp_path), "-o", str(tmp_path), "--sites", "2"]
    assert "made on one machine" in str(runner.invoke(app, sites).exception)
    lacking = runner.invoke(
        app, ["recipe", "translator-fr-en", "--data", str(tmp_path), "-o", str(tmp_path / "out")]
    )
    assert "tatoeba_en_fr.train.tsv.xz is neither in" in str(lacking.exception)
    assert not (tmp_path / "out").exists()


def test_code_that_nothing_can_be_judged_by_is_refused_at_once(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    (tmp_path / "one.py").write_text("def add(one):\n    return one + 1\n")
    words = ["recipe", "code-repair", "--data", str(tmp_path), "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(app, words)
    assert "held-out modules can be judged by running" in str(done.exception)
    assert not (tmp_path / "out").exists()


EMOJI = Pictured(
    about="makes discs and bars",
    note="They are small.",
    file="shapes.zip",
    material=EmojiOptions(held_out=0.125),
    corpus=PictureOptions(size=16, values=16, caption_tokens=8, vocab_size=300),
    model="nano",
    tokens=4_000,
    batch=2,
    sync_steps=4,
    learning_rate=0.002,
    sites=("athens", "bergen"),
    recogniser_epochs=2,
    quick_groups=("warm",),
    quick_tokens=2_000,
    quick_batch=2,
    quick_sync_steps=2,
)


def write_shapes(path: Path) -> None:
    """Things in two styles, named in two languages."""
    colours = [f"hsl({15 * number}, 80%, 50%)" for number in range(24)]
    with zipfile.ZipFile(path, "w") as archive:
        lines = []
        for number, colour in enumerate(colours):
            for style in ("round", "square"):
                picture = Image.new("RGBA", (24, 24), (0, 0, 0, 0))
                draw = ImageDraw.Draw(picture)
                shape = draw.ellipse if style == "round" else draw.rectangle
                shape((4, 4, 20, 20), fill=colour)
                data = io.BytesIO()
                picture.save(data, "PNG")
                archive.writestr(f"{style}/{number:x}.png", data.getvalue())
            told = {"name": f"hue {number}", "keywords": ["hue", str(number)]}
            warmth = "warm" if number < 12 else "cold"
            thing = {"code": f"{number:x}", "group": warmth, "sets": ["round", "square"]}
            thing |= {"en": told, "fr": told}
            lines.append(json.dumps(thing))
        archive.writestr("captions.jsonl", "\n".join(lines))


@pytest.mark.timeout(300)
def test_a_recipe_of_pictures_goes_on_and_is_judged(tmp_path: Path) -> None:
    write_shapes(tmp_path / EMOJI.file)
    console = Console(record=True, width=200)
    gallery = Studio(
        name="shapes",
        recipe=EMOJI,
        data=tmp_path,
        out=tmp_path / "out",
        sites=EMOJI.sites,
        console=console,
    )
    gallery.cook()
    held_out = read_manifest(gallery.out / "corpus").tokens("held_out")
    assert held_out == 3 * 3 * (
        8 + 16
    )  # three things lose a style; three captions, the same in both languages
    gallery.finish(beside=None)
    results = json.loads((gallery.out / "results.json").read_text(encoding="utf-8"))
    assert 0 <= results["recognised_top5_share_fr"] <= 1
    assert results["prompts"] == 3
    assert results["sites"] == _joined(gallery)
    assert results["tokens"] >= EMOJI.tokens
    single = tmp_path / "single.json"
    single.write_text(json.dumps({"held_out_loss": 2 * results["held_out_loss"]}))
    again = replace(gallery, console=Console(record=True, width=200))
    again.cook()
    again.finish(single)
    results = json.loads((gallery.out / "results.json").read_text(encoding="utf-8"))
    assert results["loss_ratio_three_sites"] == 0.5
    with Image.open(gallery.out / "sheet.png") as sheet:
        assert sheet.size == (3 * 16, 3 * 16)
    page = (gallery.out / "README.md").read_text(encoding="utf-8")
    assert "sheet.png" in page


@pytest.mark.timeout(300)
def test_a_recipe_of_pictures_that_are_seen_asks_about_a_style_never_seen(tmp_path: Path) -> None:
    write_shapes(tmp_path / EMOJI.file)
    recipe = Sighted(
        about="names discs",
        note="They are small.",
        file=EMOJI.file,
        material=EmojiOptions(held_out_style="square"),
        corpus=PictureOptions(size=16, values=16, caption_tokens=32, vocab_size=300),
        model="vision-nano",
        tokens=2_000,
        batch=2,
        sync_steps=4,
        learning_rate=0.002,
        sites=("athens",),
        asked=3,
        quick_groups=("warm",),
        quick_tokens=2_000,
        quick_batch=2,
        quick_sync_steps=2,
        passes=(2, 2),
        quick_passes=(1, 1),
    )
    viewing = Viewing(
        name="shapes",
        recipe=recipe,
        data=tmp_path,
        out=tmp_path / "out",
        sites=recipe.sites,
        console=Console(record=True, width=200),
    )
    viewing.cook()
    lines = (viewing.material / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    splits = {one["file_name"].split("/")[0]: one["split"] for one in map(json.loads, lines)}
    assert splits == {"round": "train", "square": "held_out"}
    viewing.finish(beside=None)
    results = json.loads((viewing.out / "results.json").read_text(encoding="utf-8"))
    assert 0 <= results["named_top1_share_fr"] <= 1
    assert results["prompts"] == 3
    assert (viewing.model / "mmproj-shapes-f16.gguf").exists()
    with Image.open(viewing.out / "sheet.png") as sheet:
        assert sheet.width == 900


def test_quickly_fewer_things_are_learnt(tmp_path: Path) -> None:
    write_shapes(tmp_path / EMOJI.file)
    quick = EMOJI.quick()
    (tmp_path / "pictures").mkdir()
    write_emoji(tmp_path / EMOJI.file, tmp_path / "pictures", quick.material)
    assert len(list((tmp_path / "pictures").glob("*/*.png"))) == 2 * 12
    done = CliRunner().invoke(app, ["recipe", "summary", "--quick", "--data", ".", "-o", "x"])
    assert isinstance(done.exception, ConfigError)


def test_the_fewer_rows_of_quickly_fill_a_unit() -> None:
    recipe = RECIPES["emoji"]
    assert isinstance(recipe, Pictured)
    rows = 4_732  # animals and food, each picture with its captions
    assert recipe.quick().batch * UNIT_STEPS < rows


def test_an_archive_of_something_else_is_told(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / EMOJI.file, "w") as archive:
        archive.writestr("letter.txt", "hello")
    gallery = Studio(
        name="shapes",
        recipe=EMOJI,
        data=tmp_path,
        out=tmp_path / "out",
        sites=EMOJI.sites,
        console=Console(),
    )
    with pytest.raises(ConfigError, match=r"shapes\.zip can't be used"):
        gallery.cook()
    assert not (tmp_path / "out" / "pictures").exists()
