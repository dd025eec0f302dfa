"""Our figures of a model are lm-evaluation-harness's, question by question."""

import asyncio
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archipel.evaluate.asking import Span
from archipel.evaluate.checkpoint import Checkpoint
from archipel.evaluate.data import Data
from archipel.evaluate.figures import figure
from archipel.evaluate.run import Asked, ask
from archipel.evaluate.tasks import Question, find_task
from tests.conftest import SHARED_DATA, missing

QUESTIONS = 24
# Their task, what ours is called, where their definition lies, and the split that it reads.
TASKS = {
    "arc_easy": ("arc_easy", "arc/arc_easy.yaml", "test"),
    "hellaswag": ("hellaswag", "hellaswag/hellaswag.yaml", "validation"),
    "lambada_openai": ("lambada", "lambada/lambada_openai.yaml", "test"),
    "blimp_adjunct_island": ("blimp", "blimp/adjunct_island.yaml", "train"),
}


def _spans(question: Question) -> tuple[Span, ...]:
    assert isinstance(question.asked, tuple)
    return question.asked


def _arc(question: Question) -> dict[str, Any]:
    context = _spans(question)[0].context
    texts = [span.continuation[1:] for span in _spans(question)]
    labels = [str(number) for number in range(len(texts))]
    return {
        "question": context.removeprefix("Question: ").removesuffix("\nAnswer:"),
        "choices": {"text": texts, "label": labels},
        "answerKey": labels[question.key],
    }


def _hellaswag(question: Question) -> dict[str, Any]:
    label, _, context = _spans(question)[0].context.partition(": ")
    endings = [span.continuation[1:] for span in _spans(question)]
    shown = {"activity_label": label, "ctx_a": context, "ctx_b": "", "endings": endings}
    return {**shown, "label": str(question.key)}


def _lambada(question: Question) -> dict[str, Any]:
    (span,) = _spans(question)
    return {"text": span.context + span.continuation}


def _blimp(question: Question) -> dict[str, Any]:
    good, bad = (span.continuation[1:] for span in _spans(question))
    return {"sentence_good": good, "sentence_bad": bad}


RECORDS: dict[str, Callable[[Question], dict[str, Any]]] = {
    "arc_easy": _arc,
    "hellaswag": _hellaswag,
    "lambada_openai": _lambada,
    "blimp_adjunct_island": _blimp,
}


def _wanted(name: str) -> list[Question]:
    questions = find_task(TASKS[name][0]).questions(Data(SHARED_DATA))
    if name.startswith("blimp"):
        questions = [one for one in questions if one.part == name.removeprefix("blimp_")]
    return [one for one in questions if not any(map(_is_changed, _spans(one)))][:QUESTIONS]


def _is_changed(span: Span) -> bool:
    """Whether they take something out of HellaSwag's texts, which our file has without it."""
    text = span.context + span.continuation
    return "[" in text or "  " in text


@pytest.fixture(scope="module")
def theirs(lm_eval: Path, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What they find, in one run of all tasks."""
    if not SHARED_DATA.exists():
        missing("the data for evaluations")
    folder = tmp_path_factory.mktemp("theirs")
    (own,) = (lm_eval.parents[1] / "lib").glob("python*/site-packages/lm_eval/tasks")
    for name, (_, definition, split) in TASKS.items():
        lines = [json.dumps(RECORDS[name](question)) for question in _wanted(name)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
        (folder / f"{name}.yaml").write_text(
            f"include: {own / definition}\ntask: local_{name}\ndataset_path: json\n"
            f"dataset_name: null\ntraining_split: null\nvalidation_split: null\n"
            f"test_split: {split}\n"
            f"dataset_kwargs:\n  data_files: {{{split}: {folder / name}.jsonl}}\n"
        )
    names = ",".join(f"local_{name}" for name in TASKS)
    model = ["--model", "hf", "--model_args", f"pretrained={checkpoint},dtype=float32"]
    tasks = ["--tasks", names, "--include_path", folder]
    how = ["--batch_size", "8", "--device", "cpu", "--log_samples"]
    subprocess.run(
        [lm_eval, "run", *model, *tasks, *how, "--output_path", folder / "found"],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
        | {"HF_HOME": str(folder), "PYTHONPATH": ""},
        check=True,
        timeout=170,
    )
    return folder / "found"


@pytest.mark.parametrize("name", TASKS)
def test_the_same_likelihoods_and_the_same_figures(
    name: str, theirs: Path, checkpoint: Path, tmp_path: Path
) -> None:
    asked = Asked(find_task(TASKS[name][0]), _wanted(name))
    (ours,) = asyncio.run(ask(Checkpoint(checkpoint, "tiny"), tmp_path, [asked], lambda *_: None))
    (file,) = theirs.glob(f"**/samples_local_{name}_*.jsonl")
    samples = [json.loads(line) for line in file.read_text().splitlines()]
    samples.sort(key=lambda sample: sample["doc_id"])
    assert len(samples) == QUESTIONS
    for answer, sample in zip(ours.answers, samples, strict=True):
        known = [float(response[0][0]) for response in sample["resps"]]
        assert [read.nats for read in answer] == pytest.approx(known, abs=2e-3)
    (file,) = theirs.glob("**/results_*.json")
    results = json.loads(file.read_text())["results"][f"local_{name}"]
    for measure in ours.task.measures(ours.questions, ours.answers):
        known = results[f"{measure.name},none"]
        assert figure(measure).value == pytest.approx(known, rel=1e-3), measure.name
