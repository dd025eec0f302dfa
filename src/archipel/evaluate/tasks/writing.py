"""Tasks whose answers are compared with what people wrote: translations and summaries."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from archipel.chat import Message
from archipel.errors import ConfigError
from archipel.evaluate.asking import Prompt, Written
from archipel.evaluate.data import Data, read_records, read_text
from archipel.evaluate.figures import Measure, mean
from archipel.evaluate.likeness import bleu, chrf, rouge_l
from archipel.evaluate.tasks.task import Question, Task, field_of

_SYSTEM = {
    "fr": "Traduis en français. Réponds par la traduction seule.",
    "en": "Translate into English. Answer with the translation alone.",
    "summary": "Summarise the text in one sentence. Answer with that sentence alone.",
}
_SENTENCE_TOKENS = 128


def translate(source: str, target: str, path: str | None) -> Task:
    """Sentences between `en` and `fr`, out of a file of tab-separated pairs, English first."""
    ask = partial(_translations, source, target, Path(path).expanduser() if path else None)
    return Task(f"translate_{source}_{target}", ask, _near)


def summary(path: str | None) -> Task:
    """Abstracts of papers in one sentence; the nearest of several references counts."""
    return Task("summary", partial(_abstracts, Path(path).expanduser() if path else None), _rouge)


def _translations(source: str, target: str, path: Path | None, data: Data) -> list[Question]:
    """A question for each distinct sentence, with all its translations."""
    path = path or data.find("tatoeba_en_fr.dev.tsv.xz")
    found: dict[str, list[str]] = {}
    for number, line in enumerate(read_text(path).split("\n"), 1):
        pair = line.rstrip("\r").split("\t")
        if pair == [""]:
            continue
        if len(pair) < 2:
            raise ConfigError(
                f"{path}, line {number}, is no pair of sentences with a tab between them: "
                f"{line[:60]!r}."
            )
        english, french = pair[:2]
        asked, answer = (english, french) if source == "en" else (french, english)
        found.setdefault(asked, []).append(answer)
    return [
        Question(str(number), _prompt(target, sentence), key=references)
        for number, (sentence, references) in enumerate(found.items())
    ]


def _abstracts(path: Path | None, data: Data) -> list[Question]:
    path = path or data.find("scitldr_dev.jsonl.xz")
    return [
        Question(
            str(number),
            _prompt("summary", " ".join(field_of(record, "source", list, path))),
            key=field_of(record, "target", list, path),
        )
        for number, record in enumerate(read_records(path))
    ]


def _prompt(system: str, text: str) -> Prompt:
    messages = (Message("system", _SYSTEM[system]), Message("user", text))
    return Prompt(messages, _SENTENCE_TOKENS)


def _near(questions: Sequence[Question], answers: Sequence[Written]) -> list[Measure]:
    """Over lines: a sentence with several translations counts once with each."""
    texts = [_line(answer) for answer in answers]
    references = [question.key for question in questions]
    return [bleu(texts, references), chrf(texts, references)]


def _rouge(questions: Sequence[Question], answers: Sequence[Written]) -> list[Measure]:
    nearest = [
        max(rouge_l(_line(answer), str(one)) for one in question.key)
        for question, answer in zip(questions, answers, strict=True)
    ]
    return [mean("rouge_l", nearest)]


def _line(answer: Written) -> str:
    return " ".join(answer.text.split())
