"""An evaluation as a document: figures, differences to another model, a gate. Pure."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from archipel.errors import ConfigError
from archipel.evaluate.figures import difference, figure
from archipel.evaluate.run import Answered
from archipel.evaluate.tasks import cut
from archipel.files import sha256_bytes


def document(model: str, answered: Sequence[Answered]) -> dict[str, Any]:
    """What `--json` writes: each task's figures with 95 % intervals. `digest` is another one for
    other questions; `too_long` counts those that did not fit into the model's context."""
    return {"model": model, "tasks": {one.task.name: _task(one) for one in answered}}


def differences(ours: Sequence[Answered], theirs: Sequence[Answered]) -> dict[str, Any]:
    """How far our figures are above theirs over the same questions, by task and figure."""
    return {
        one.task.name: {
            mine.name: asdict(difference(mine, other))
            for mine, other in zip(_measures(one), _measures(two), strict=True)
        }
        for one, two in zip(ours, theirs, strict=True)
    }


def regressions(found: dict[str, Any], before: object, tolerance: float) -> list[str]:
    """Where `found` is worse than an earlier document by more than that share of its figure.

    Raises:
        ConfigError: `before` is no such document, or not of the same tasks and questions.
    """
    worse = []
    for task, then in _tasks(before).items():
        now = found["tasks"].get(task)
        if now is None:
            raise ConfigError(f"the gate has {task}, which was not asked: add it to --tasks")
        if now["digest"] != then["digest"]:
            raise ConfigError(
                f"the gate's figures of {task} are over other questions: use the data and the "
                "--limit that it was made with"
            )
        for name, old in then["figures"].items():
            new = now["figures"][name]
            loss = old["value"] - new["value"]
            if not old["higher_is_better"]:
                loss = -loss
            if loss > tolerance * abs(old["value"]):
                change = f"{old['value']:.4g} before, {new['value']:.4g} now"
                worse.append(f"{task} {name}: {change}, worse by more than {tolerance:.2%}")
    return worse


def _tasks(before: object) -> dict[str, Any]:
    try:
        tasks: dict[str, Any] = before["tasks"]  # type: ignore[index]
        for task in tasks.values():
            str(task["digest"])
            for old in task["figures"].values():
                float(old["value"]) + bool(old["higher_is_better"])
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"the gate is not what `archipel eval --json` writes ({error!r}). Make it anew"
        ) from error
    return tasks


def _task(answered: Answered) -> dict[str, Any]:
    asked = "".join(f"{one.id} {one.asked!r} {one.key!r}\n" for one in answered.questions)
    return {
        "questions": len(answered.questions),
        "digest": sha256_bytes(asked.encode(errors="surrogatepass")),
        "too_long": cut(answered.answers),
        "figures": {one.name: asdict(figure(one)) for one in _measures(answered)},
    }


def _measures(answered: Answered) -> list[Any]:
    return answered.task.measures(answered.questions, answered.answers)
