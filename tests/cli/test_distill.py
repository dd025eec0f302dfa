"""`archipel distill`: a teacher that is busy, odd or gone, and what of its answers is kept."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from typer.testing import CliRunner

from archipel.cli.main import app
from archipel.errors import ArchipelError, ConfigError, IntegrityError, TeacherError
from archipel.train.teaching.answers import open_answers
from archipel.train.teaching.collect import Collecting, Means, Patience
from archipel.train.teaching.keep import Rules, fault
from archipel.train.teaching.prompts import Message
from archipel.train.teaching.teacher import Answer, Teacher
from tests.serve.scripted import hosted_in_thread

GOOD = "The library opens at nine and it closes at six."
SAID = {
    "refuse": "I'm sorry, but I can't help with that.",
    "french": "La bibliothèque ouvre à neuf heures et elle ferme à six heures.",
    "empty": " ",
    "short": "No.",
}


@dataclass
class Service:
    """A teacher that says what `SAID` has for a prompt; `status` is what all are answered with."""

    url: str = ""
    status: int = 200
    busy: int = 0  # so many requests are answered 429
    asked: Counter[str] = field(default_factory=Counter)
    at_once: int = 0
    most_at_once: int = 0
    bodies: list[dict] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        body = await request.json()
        prompt = body["messages"][-1]["content"]
        self.asked[prompt] += 1
        self.bodies.append(body)
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if self.busy:
            self.busy -= 1
            headers = {"Retry-After": "7"}
            return JSONResponse({"error": {"message": "slow down"}}, 429, headers)
        status = 400 if prompt == "bad" else self.status
        if status != 200:
            return JSONResponse({"error": {"message": "not now"}}, status)
        ended = "length" if prompt == "cut" else "stop"
        message = {"role": "assistant", "content": SAID.get(prompt, GOOD)}
        return JSONResponse(
            {
                "choices": [{"index": 0, "message": message, "finish_reason": ended}],
                "usage": {"prompt_tokens": 10, "completion_tokens": 100},
            }
        )

    async def models(self, request: Request) -> Response:
        return JSONResponse({"data": [{"id": "large"}]})


@pytest.fixture
def service() -> Iterator[Service]:
    served = Service()
    routes = [
        Route("/v1/chat/completions", served.answer, methods=["POST"]),
        Route("/v1/models", served.models),
    ]
    with hosted_in_thread(Starlette(routes=routes)) as url:
        served.url = f"{url}/v1"
        yield served


@pytest.fixture
def asked(tmp_path: Path, service: Service) -> list[str]:
    """The command for `ask.txt`."""
    return [
        *("distill", "--teacher", service.url, "--prompts", str(tmp_path / "ask.txt")),
        *("-o", str(tmp_path / "taught.jsonl"), "--tries", "1"),
    ]


def distill(words: list[str]) -> str:
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_good_answers_become_conversations(
    tmp_path: Path, service: Service, asked: list[str]
) -> None:
    prompts = ["one", "refuse", "french", "empty", "short", "cut", "bad", "one", "two"]
    (tmp_path / "ask.txt").write_text("\n".join(prompts) + "\n\n")
    rules = ["--language", "en", "--least", "4", "--parallel", "2"]
    shown = distill([*asked, *rules, "--system", "Be brief.", "--prices", "1,10"])
    lines = [json.loads(line) for line in (tmp_path / "taught.jsonl").read_text().splitlines()]
    assert [line["messages"] for line in lines] == [
        [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": prompt},
            {"role": "assistant", "content": GOOD},
        ]
        for prompt in ("one", "two")
    ]
    assert service.asked == Counter(set(prompts))
    assert service.most_at_once <= 2
    assert {body["model"] for body in service.bodies} == {"large"}
    assert "7 answered now, 0 before, 1 refused" in shown
    assert "70 tokens asked, 700 answered, cost 0.0071" in shown
    for why in ("a refusal", "in another language", "empty", "too short", "cut off", "refused by"):
        assert f"1 {why}" in shown
    # Once more, with other rules: nothing is asked again.
    distill([*asked, "--system", "Be brief."])
    assert service.asked.total() == 8
    assert len((tmp_path / "taught.jsonl").read_text().splitlines()) == 4


def test_what_was_answered_before_the_teacher_went_is_kept(
    tmp_path: Path, service: Service, asked: list[str]
) -> None:
    (tmp_path / "ask.txt").write_text("one\ntwo\n")
    distill(asked)
    (tmp_path / "ask.txt").write_text("one\ntwo\nthree\nfour\n")
    service.status = 503
    with pytest.raises(TeacherError, match=r"not now.* 2 of 4 are kept; the same command goes on"):
        distill(asked)
    with (tmp_path / "taught.jsonl.answers").open("a") as file:
        file.write('{"key": "half a li')  # killed as it wrote
    service.status = 200
    assert "4 conversations" in distill(asked)
    assert (service.asked["one"], service.asked["two"]) == (1, 1)


def test_a_wrong_key_ends_it_at_once(tmp_path: Path, service: Service, asked: list[str]) -> None:
    (tmp_path / "ask.txt").write_text("one\ntwo\n")
    service.status = 401
    with pytest.raises(TeacherError, match="answered 401: not now"):
        distill([*asked[:-1], "9", "--parallel", "1"])
    assert service.asked.total() == 1


def test_a_busy_teacher_is_given_the_time_that_it_asks_for(
    tmp_path: Path, service: Service
) -> None:
    service.busy = 2
    waited = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    async def run() -> Collecting:
        async with httpx.AsyncClient(base_url=service.url) as client:
            with open_answers(tmp_path / "answers") as answers:
                means = Means(sleep, lambda: 1.0, lambda _: None)
                collecting = Collecting(Teacher(client, "large", {}), answers, Patience(), means)
                await collecting.run([(Message(role="user", content="one"),)], parallel=1)
                return collecting

    tally = asyncio.run(run()).tally
    assert (tally.answered, tally.refused) == (1, 0)
    assert waited == [7, 7]


def test_patience_doubles_and_ends() -> None:
    patience = Patience(tries=4, first_seconds=1, most_seconds=3)
    pauses = [patience.pause(failures, 0, luck=1.0) for failures in (1, 2, 3, 4)]
    assert pauses == [1, 2, 3, None]
    assert patience.pause(2, 0, luck=0.0) == 1
    assert patience.pause(1, 31, luck=0.0) is None  # longer than anybody waits


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("ask.txt", "\n \n", "holds no prompt"),
        ("ask.jsonl", '{"prompt": "a"}\n{"prompt": \n', "line 2: Invalid JSON"),
        ("ask.jsonl", '{"text": "a"}', "line 1: .*either prompt or messages"),
        ("ask.jsonl", '{"messages": [{"role": "robot", "content": "a"}]}', r"messages\.0\.role"),
        (
            "ask.jsonl",
            '{"messages": [{"role": "assistant", "content": "a"}]}',
            "must end with one of the user",
        ),
        ("ask.txt", "x" * 200_001, "line 1 has more than"),
    ],
)
def test_prompts_that_can_not_be_asked_are_named(
    tmp_path: Path, name: str, text: str, match: str
) -> None:
    (tmp_path / name).write_text(text)
    words = ["distill", "--teacher", "http://127.0.0.1:9/v1", "--prompts", str(tmp_path / name)]
    with pytest.raises(ConfigError, match=match):
        distill([*words, "-o", str(tmp_path / "taught.jsonl")])
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("words", "error", "match"),
    [
        (["--prices", "cheap"], ConfigError, "0.15,0.60"),
        (["--teacher", "example.com"], ConfigError, "is no URL"),
        (["--teacher", "http://example.com:port/v1"], ConfigError, "is no URL"),
        ([], IntegrityError, "line 1 is no answer"),
    ],
)
def test_what_is_asked_wrongly_is_said(
    tmp_path: Path, asked: list[str], words: list[str], error: type[ArchipelError], match: str
) -> None:
    (tmp_path / "ask.txt").write_text("one\n")
    (tmp_path / "taught.jsonl.answers").write_text('{"key": "a"}\n')
    with pytest.raises(error, match=match):
        distill([*asked, *words])


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't do that.",
        "As an AI language model, I have no opinion.",
        "Je suis désolé, mais je ne peux pas répondre.",
        "Désolé, je ne sais pas.",
        "**Sorry**, I cannot help.",
        "Es tut mir leid, aber ich kann nicht.",
    ],
)
def test_refusals_are_known_by_how_they_begin(text: str) -> None:
    assert fault(Answer(text, "stop"), Rules()) == "a refusal"
    assert fault(Answer(f"He said: {text}", "stop"), Rules()) is None
