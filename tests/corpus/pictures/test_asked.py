"""Questions about pictures, with their answers, as rows."""

from pathlib import Path

import pytest

from archipel.corpus import TokenReader
from archipel.corpus.left_out import LeftOut
from archipel.corpus.pictures import Asked, Built, PictureOptions, build_picture_corpus
from archipel.corpus.pictures.reading import read_pictures
from archipel.corpus.tokenizer import load_tokenizer
from archipel.errors import ConfigError
from tests.corpus.pictures.conftest import write_metadata
from tests.corpus.pictures.test_reading import Make

LONG = "a very long answer " * 8


def asked(folder: Path, *answers: str) -> None:
    """What is asked about each picture but the last, and what is said of all."""
    lines: list[dict[str, object]] = [
        {
            "file_name": f"{number}.png",
            "text": "not learnt",
            "asked": [{"question": "What is this?", "answer": answer} for answer in answers],
        }
        for number in range(3)
    ]
    write_metadata(folder, [*lines, {"file_name": "3.png", "text": "without a question"}])


def build(folder: Path, out: Path, left_out: LeftOut) -> Built:
    options = PictureOptions(size=8, values=2, caption_tokens=16, vocab_size=300, held_out=0)
    return build_picture_corpus([folder], out, options, left_out)


def test_a_row_is_a_question_with_its_answer(folder_of: Make, tmp_path: Path) -> None:
    folder, left_out = folder_of(4), LeftOut()
    asked(folder, "a cat", LONG)
    manifest = build(folder, tmp_path / "corpus", left_out).manifest
    assert left_out.counts == {
        "without a question, where others have some": 1,
        "questions of over 16 tokens with their answer": 3,
    }
    assert manifest.pictures
    assert manifest.pictures.answers
    tokenizer = load_tokenizer(tmp_path / "corpus" / "tokenizer")
    reader = TokenReader(tmp_path / "corpus", manifest, "train")
    assert reader.tokens == 3 * 18
    words = tokenizer.decode(reader.read(0, 16).tolist(), skip_special_tokens=False)
    assert words.startswith("<|user|>What is this?<|assistant|>a cat<|im_end|>")
    assert words.replace("<|im_end|>", "").endswith("a cat")
    begin, end = manifest.pictures.answers.begin, manifest.pictures.answers.end
    assert [tokenizer.id_to_token(one) for one in (*begin, end)] == ["<|assistant|>", "<|im_end|>"]


def test_questions_that_are_all_too_long_are_told(folder_of: Make, tmp_path: Path) -> None:
    folder = folder_of(4)
    asked(folder, LONG)
    with pytest.raises(ConfigError, match="raise --caption-tokens"):
        build(folder, tmp_path / "corpus", LeftOut())


def test_they_are_read_as_they_are_written(folder_of: Make) -> None:
    folder = folder_of(4)
    asked(folder, " a cat ", "a cat")
    first, *_ = read_pictures([folder], 8, LeftOut())
    assert first.asked == (Asked("What is this?", "a cat"),)


@pytest.mark.parametrize("wrong", ["x", [{"question": "?"}], [{"question": "?", "answer": " "}]])
def test_what_is_no_question_stops_the_build(folder_of: Make, wrong: object) -> None:
    folder = folder_of(1)
    write_metadata(folder, [{"file_name": "0.png", "asked": wrong}])
    with pytest.raises(ConfigError, match="list of questions with answers"):
        list(read_pictures([folder], 8, LeftOut()))
