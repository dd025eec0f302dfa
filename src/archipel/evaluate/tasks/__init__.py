"""The tasks by name. Each needs a file of public data, a path after a colon, or nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from archipel.corpus.repairs import CASES, HELD_OUT
from archipel.errors import ConfigError
from archipel.evaluate.tasks import choices, code, functions, stories, texts, writing
from archipel.evaluate.tasks.instructions import instructions
from archipel.evaluate.tasks.task import Question, Task, cut

__all__ = ["TASKS", "Question", "Task", "cut", "find_task"]


@dataclass(frozen=True)
class Entry:
    """A task's maker, what it says of itself, the file that it looks for, and whether one of the
    user's own may take its place, after a colon."""

    make: Callable[..., Task]
    about: str
    file: str = ""
    takes_path: bool = False


TASKS: Mapping[str, Entry] = MappingProxyType(
    {
        "bits_per_byte": Entry(
            texts.bits_per_byte,
            "how well a text, or a corpus, is predicted",
            "",
            True,
        ),
        "blimp": Entry(choices.blimp, "English grammar, 67 phenomena", "BLiMP.zip"),
        "clams_en": Entry(
            partial(choices.clams, "en"), "agreement in English", "clams_fr_en.tar.gz"
        ),
        "clams_fr": Entry(
            partial(choices.clams, "fr"), "agreement in French", "clams_fr_en.tar.gz"
        ),
        "arc_easy": Entry(choices.arc_easy, "school science, several choices", "arc_easy.jsonl.xz"),
        "hellaswag": Entry(
            choices.hellaswag, "what happens next, four choices", "hellaswag_val_full.txt.bz2"
        ),
        "lambada": Entry(choices.lambada, "the last word of a passage", "lambada_openai.jsonl.xz"),
        "translate_en_fr": Entry(
            partial(writing.translate, "en", "fr"),
            "English into French: BLEU, chrF",
            "tatoeba_en_fr.dev.tsv.xz",
            True,
        ),
        "translate_fr_en": Entry(
            partial(writing.translate, "fr", "en"),
            "French into English: BLEU, chrF",
            "tatoeba_en_fr.dev.tsv.xz",
            True,
        ),
        "summary": Entry(
            writing.summary, "an abstract in a sentence: ROUGE-L", "scitldr_dev.jsonl.xz", True
        ),
        "humaneval": Entry(code.humaneval, "a function continued, and run", "HumanEval.jsonl.gz"),
        "humaneval_chat": Entry(
            code.humaneval_chat, "the same, asked in a message", "HumanEval.jsonl.gz"
        ),
        "mbpp": Entry(code.mbpp, "a short program after three examples, run", "mbpp.jsonl.xz"),
        "mbpp_chat": Entry(code.mbpp_chat, "the same, asked in a message", "mbpp.jsonl.xz"),
        "repair": Entry(functions.repair, "a broken function repaired, and run", CASES, True),
        "complete": Entry(
            functions.complete, "half a function continued: is it Python?", HELD_OUT, True
        ),
        "fill_in": Entry(
            functions.fill_in, "a gap in a function filled in: is it Python?", HELD_OUT, True
        ),
        "tell": Entry(
            stories.tell, "stories told: do they end, do they repeat themselves?", "", True
        ),
        "instructions": Entry(instructions, "form as told, in English and French"),
    }
)


def find_task(text: str) -> Task:
    """The task that `NAME` or `NAME:PATH` stands for.

    Raises:
        ConfigError: there is none of that name, or it takes no path, or needs one.
    """
    name, colon, path = text.partition(":")
    if name not in TASKS:
        raise ConfigError(f"unknown task {name!r}: take some of {', '.join(TASKS)}")
    entry = TASKS[name]
    if not entry.takes_path:
        if colon:
            raise ConfigError(
                f"{name} takes no path, but {path!r} was given: it reads {entry.file}"
            )
        return entry.make()
    return entry.make(path or None)
