"""What cards say that models are made for, and how fast models were: kept and found again."""

import os
from pathlib import Path

import pytest

from archipel.models.here import find_purpose, list_models
from archipel.models.purpose import Purpose, purpose_in, unlearnt_gaps
from archipel.models.speeds import Speed, keep_speed, known_speed
from archipel.tune.card import tuned_card

OURS = "---\nlanguage: [fr, en]\ntasks: [translate]\n---\n\n# A translator\n"
HUB = "---\nlanguage:\n- fr\n- pt-BR\n- Klingon!\npipeline_tag: translation\n---\n"


@pytest.mark.parametrize(
    ("card", "purpose"),
    [
        (OURS, Purpose(("translate",), ("fr", "en"))),
        (OURS.replace("\n", "\r\n"), Purpose(("translate",), ("fr", "en"))),
        (HUB, Purpose(("translate",), ("fr", "pt-BR"))),
        ("---\nlanguage: en\npipeline_tag: text-generation\n---\n", Purpose(None, ("en",))),
        ("---\ntasks: [cook, {a: b}, code, chat]\n---\n", Purpose(("chat", "code"), None)),
        ("# No front matter\ntasks: [code]\n", Purpose()),
        ("---\ntasks: [translate\n---\n", Purpose()),
        ("---\n- translate\n---\n", Purpose()),
        ("---\na: !!python/object/apply:os.getcwd []\n---\n", Purpose()),
        ("---\n" + "[" * 5000 + "\n---\n", Purpose()),
        ("", Purpose()),
    ],
)
def test_a_card_says_it_or_says_nothing(card: str, purpose: Purpose) -> None:
    assert purpose_in(card) == purpose


def test_the_card_of_a_tuned_model_says_what_it_learnt() -> None:
    facts = {"name": "ours", "base": "first", "kind": "pairs to translate", "items": 9, "epochs": 1}
    facts |= {"tokens": 99, "trained": 9, "before": None, "after": None, "template": "a plain one"}
    facts |= {"is_adapter": False, "date": "2026-11-28"}
    card = tuned_card({**facts, "tasks": ["translate"], "languages": ("en", "fr")})  # type: ignore[typeddict-item]
    assert purpose_in(card) == Purpose(("translate",), ("en", "fr"))
    assert "tasks" not in tuned_card({**facts, "tasks": [], "languages": []})  # type: ignore[typeddict-item]


def test_models_that_were_put_into_the_home_are_found_with_their_cards(tmp_path: Path) -> None:
    models = tmp_path / "models"
    for name, file in [("translator", "t.gguf"), ("ours", "model.safetensors"), ("two", "a.gguf")]:
        (models / name).mkdir(parents=True)
        (models / name / file).write_bytes(b"weights")
    (models / "translator/README.md").write_text(OURS)
    (models / "ours/config.json").write_text("{}")
    (models / "two/b.gguf").write_bytes(b"")
    (models / "loose.gguf").write_bytes(b"abc")
    (models / "a name [red].gguf").write_bytes(b"abc")
    (models / ".half.partial").mkdir()

    found = {one.name: one for one in list_models(tmp_path)}
    assert {name: one.bytes for name, one in found.items()} == {
        "loose": 3,
        "ours": 7,
        "translator": 7,
    }
    assert found["translator"].path == models / "translator/t.gguf"
    assert found["ours"].path == models / "ours"
    assert found["translator"].purpose == Purpose(("translate",), ("fr", "en"))
    assert find_purpose(models / "translator/t.gguf", tmp_path).tasks == ("translate",)
    assert find_purpose(models / "loose.gguf", tmp_path) == Purpose()


def test_a_speed_holds_until_the_file_is_another_or_the_machine(tmp_path: Path) -> None:
    model, speed = tmp_path / "m.gguf", Speed(35.0, 1 << 29, "llama.cpp", "here", "2026-11-28")
    model.write_bytes(b"weights")
    assert known_speed(model, "here", tmp_path) is None
    keep_speed(model, speed, tmp_path)
    assert known_speed(model, "here", tmp_path) == speed
    assert known_speed(model, "elsewhere", tmp_path) is None
    os.utime(model, (1, 1))  # copied or touched: the digest is the same
    assert known_speed(model, "here", tmp_path) == speed
    model.write_bytes(b"changed")
    assert known_speed(model, "here", tmp_path) is None

    (tmp_path / "speeds.json").write_text("{")
    assert known_speed(model, "here", tmp_path) is None
    keep_speed(model, speed, tmp_path)
    assert known_speed(model, "here", tmp_path) == speed


def test_what_a_run_trained_fills_gaps_only_if_its_card_says_so(tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    assert not unlearnt_gaps(tmp_path)  # nobody says anything
    card.write_text("---\ntags: [archipel, diloco]\n---\n")
    assert unlearnt_gaps(tmp_path)
    card.write_text("---\ntags: [archipel, diloco]\ntasks: [repair, fill]\n---\n")
    assert not unlearnt_gaps(tmp_path)
    card.write_text("---\ntags: [code]\n---\n")
    assert not unlearnt_gaps(tmp_path)
