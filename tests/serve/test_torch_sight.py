"""The torch engine, shown pictures: tiny real checkpoints against transformers, through the
official clients. Bad pictures are in test_sight.py: they are refused before an engine is asked."""

import asyncio
import base64
import io
import json
import re
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
import torch
from anthropic import Anthropic
from PIL import Image
from transformers import (
    AutoImageProcessor,
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
)

from archipel.errors import ConfigError, ModelError, UnsupportedModel
from archipel.serve.engine import Engine
from archipel.serve.launch import launch
from archipel.serve.setting_tables import ModelTable
from archipel.serve.torch_seer import TorchSeer
from archipel.serve.weights import Weights, find_weights
from tests.models.llava import save_llava
from tests.models.seers import MARKS, save_seer, write_json
from tests.serve.conftest import Service

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:transformers")

Turn = tuple[str, Sequence[str | Image.Image]]  # a role, and its texts and pictures
_TOKENS = 12
_CONTEXTS = {"llava": 160, "idefics": 512, "qwen": 256, "blind": 512}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    parent = tmp_path_factory.mktemp("seers")
    for kind in MARKS:
        save_seer(kind, parent / kind)
    return {kind: parent / kind for kind in MARKS}


@dataclass(frozen=True)
class Seeing:
    """The service, a client of it, and the folders of its models by their names."""

    service: Service
    client: openai.OpenAI
    folders: dict[str, Path]

    def ask(self, model: str, turns: Sequence[Turn], **fields: Any) -> Any:
        fields = {"max_tokens": _TOKENS, "temperature": 0, **fields}
        create: Any = self.client.chat.completions.create
        return create(model=model, messages=[_sent(*turn) for turn in turns], **fields)


@pytest.fixture(scope="module")
def seeing(
    archipel: Callable[..., Any],
    folders: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Seeing]:
    """All that see, and one of them that is not to."""
    folders = {**folders, "blind": folders["idefics"]}
    further = {"llava": 'engine = "torch"\n', "blind": 'mmproj = "none"\n'}
    tables = [
        f'[models.{name}]\npath = "{folder}"\nthreads = 1\nparallel = 2\n'
        f"context = {_CONTEXTS[name]}\n{further.get(name, '')}"
        for name, folder in folders.items()
    ]
    file = tmp_path_factory.mktemp("settings") / "service.toml"
    file.write_text("".join(tables))
    process = archipel("serve", "--config", file, "--port", 0)
    lines = [process.stdout.readline() for _ in folders]
    assert lines[0], process.communicate()[1]
    assert [line.split()[2] for line in lines] == ["torch"] * len(folders)
    assert ["sees pictures" in line for line in lines] == [name in MARKS for name in folders]
    service = Service(process, lines[0].split()[1])
    with service.client() as client:
        yield Seeing(service, client, folders)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def _noise(seed: int, width: int = 32, height: int = 32) -> Image.Image:
    drawn = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(drawn)


def _data(picture: Image.Image, kind: str = "PNG") -> str:
    file = io.BytesIO()
    picture.save(file, kind, lossless=True)  # of the kinds here WebP's option
    return base64.b64encode(file.getvalue()).decode()


def _sent(role: str, parts: Sequence[str | Image.Image]) -> dict[str, Any]:
    """A message as a client sends it; one of words only is a string."""
    if len(parts) == 1 and isinstance(parts[0], str):
        return {"role": role, "content": parts[0]}
    content = [
        {"type": "text", "text": part}
        if isinstance(part, str)
        else {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_data(part)}"}}
        for part in parts
    ]
    return {"role": role, "content": content}


def _read(role: str, parts: Sequence[str | Image.Image]) -> dict[str, Any]:
    """The same as transformers takes it."""
    content = [
        {"type": "text", "text": part}
        if isinstance(part, str)
        else {"type": "image", "image": part}
        for part in parts
    ]
    return {"role": role, "content": content}


@dataclass(frozen=True)
class Said:
    """What transformers itself makes of a conversation."""

    text: str
    prompt_tokens: int
    logprobs: torch.Tensor  # [vocabulary], of the answer's first token


@torch.no_grad()
def _said(folder: Path, turns: Sequence[Turn]) -> Said:
    torch.set_num_threads(1)
    model: Any = AutoModelForImageTextToText.from_pretrained(folder)
    inputs = (_made_for_qwen if model.config.model_type == "qwen2_vl" else _made)(folder, turns)
    tokens = inputs["input_ids"].shape[1]
    told = model.generate(**inputs, max_new_tokens=_TOKENS, do_sample=False)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    text = tokenizer.decode(told[0, tokens:], skip_special_tokens=True)
    return Said(text, tokens, model(**inputs).logits[0, -1].float().log_softmax(-1))


def _made(folder: Path, turns: Sequence[Turn]) -> Any:
    return AutoProcessor.from_pretrained(folder).apply_chat_template(
        [_read(*turn) for turn in turns],
        tokenize=True,
        add_generation_prompt=True,
        return_dict=True,
        return_tensors="pt",
    )


def _made_for_qwen(folder: Path, turns: Sequence[Turn]) -> dict[str, Any]:
    """As its processor makes them, which transformers does not load without torchvision."""
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    messages = [_read(*turn) for turn in turns]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    pictures = [part for _, parts in turns for part in parts if isinstance(part, Image.Image)]
    look: Any = AutoImageProcessor.from_pretrained(folder)
    seen = look(images=pictures, return_tensors="pt") if pictures else {}
    places = [int(grid.prod()) // look.merge_size**2 for grid in seen.get("image_grid_thw", ())]
    between = text.split(MARKS["qwen"])
    widened = [
        MARKS["qwen"] * count + after for count, after in zip(places, between[1:], strict=True)
    ]
    made = tokenizer("".join([between[0], *widened]), return_tensors="pt")
    return {**made, **seen, "mm_token_type_ids": (made["input_ids"] == 1).int()}


def _looked(picture: Image.Image) -> list[Turn]:
    return [("user", [picture, "what is this"])]


_CONVERSATIONS: list[list[Turn]] = [
    _looked(_noise(0)),
    _looked(_noise(1, 57, 40)),
    [
        ("system", ["look"]),
        ("user", ["first ", _noise(2), " then ", _noise(3)]),
        ("assistant", ["fox"]),
        ("user", ["which"]),
    ],
    [("user", ["no picture"])],
]


@pytest.mark.parametrize("model", MARKS)
def test_greedy_answers_are_those_of_transformers(seeing: Seeing, model: str) -> None:
    answers = set()
    for turns in _CONVERSATIONS:
        said, answer = _said(seeing.folders[model], turns), seeing.ask(model, turns)
        assert answer.choices[0].message.content == said.text
        assert answer.usage.prompt_tokens == said.prompt_tokens
        answers.add(said.text)
    assert len(answers) == len(_CONVERSATIONS)


@pytest.mark.parametrize("model", MARKS)
def test_log_probabilities_are_those_of_transformers(seeing: Seeing, model: str) -> None:
    turns = _CONVERSATIONS[2]
    wanted = _said(seeing.folders[model], turns).logprobs.topk(5).values.tolist()
    answer = seeing.ask(model, turns, logprobs=True, top_logprobs=5)
    first = answer.choices[0].logprobs.content[0]
    assert [one.logprob for one in first.top_logprobs] == pytest.approx(wanted, abs=1e-4)


def test_a_stream_is_the_whole_answer_in_pieces(seeing: Seeing) -> None:
    turns, how = _looked(_noise(0)), {"temperature": 1, "seed": 7}
    whole = seeing.ask("idefics", turns, **how)
    options = {"include_usage": True}
    stream = list(seeing.ask("idefics", turns, stream=True, stream_options=options, **how))
    told = "".join(chunk.choices[0].delta.content or "" for chunk in stream[:-1])
    assert told == whole.choices[0].message.content
    assert stream[-1].usage == whole.usage
    assert seeing.ask("idefics", turns, temperature=1, seed=8).choices[0].message.content != told


def test_an_answer_ends_at_a_stop_text(seeing: Seeing) -> None:
    turns = _looked(_noise(0))
    whole = seeing.ask("llava", turns).choices[0].message.content
    choice = seeing.ask("llava", turns, stop=[whole[3:5]]).choices[0]
    assert choice.message.content == whole[: whole.find(whole[3:5])]
    assert choice.finish_reason == "stop"


@pytest.mark.parametrize("model", MARKS)
def test_answers_under_way_at_once_are_those_of_each_alone(seeing: Seeing, model: str) -> None:
    def ask(turns: Sequence[Turn]) -> str:
        return str(seeing.ask(model, turns).choices[0].message.content)

    alone = [ask(turns) for turns in _CONVERSATIONS]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, _CONVERSATIONS * 2)) == alone * 2


def test_pictures_are_decoded_before_the_engine(seeing: Seeing) -> None:
    turns = _looked(_noise(0))
    sent = _sent(*turns[0])
    url = f"data:image/webp;base64,{_data(_noise(0), 'WEBP')}"
    sent["content"][0] = {"type": "image_url", "image_url": {"url": url}}
    create: Any = seeing.client.chat.completions.create
    answer = create(model="llava", messages=[sent], max_tokens=_TOKENS, temperature=0)
    assert answer.choices[0].message.content == _said(seeing.folders["llava"], turns).text
    refusals = {"http://127.0.0.1:9/a.png": "unsupported_by_provider", "data:,x": "invalid_image"}
    for bad, code in refusals.items():
        sent["content"][0] = {"type": "image_url", "image_url": {"url": bad}}
        with pytest.raises(openai.BadRequestError) as refused:
            create(model="llava", messages=[sent])
        assert refused.value.code == code
        assert refused.value.param == "messages.0.content.0"


def test_anthropics_client_asks_with_pictures(seeing: Seeing) -> None:
    turns = _looked(_noise(0))
    source: Any = {"type": "base64", "media_type": "image/png", "data": _data(_noise(0))}
    with Anthropic(
        base_url=seeing.service.url.removesuffix("/v1"), api_key="none", max_retries=0
    ) as client:
        message = client.messages.create(
            model="idefics",
            max_tokens=_TOKENS,
            extra_body={"temperature": 0},
            messages=[
                {
                    "role": "user",
                    "content": [
                        {"type": "image", "source": source},
                        {"type": "text", "text": "what is this"},
                    ],
                }
            ],
        )
    said = _said(seeing.folders["idefics"], turns)
    [block] = message.content
    assert block.type == "text"
    assert block.text == said.text
    assert message.usage.input_tokens == said.prompt_tokens


def test_what_sees_says_so(seeing: Seeing) -> None:
    told = {one.id: one.model_extra for one in seeing.client.models.list()}
    abilities = {name: (fields or {})["abilities"] for name, fields in told.items()}
    assert abilities == {
        "llava": ["chat", "sight"],
        "idefics": ["chat", "sight"],
        "qwen": ["chat", "sight"],
        "blind": ["chat"],
    }


def test_one_that_is_not_to_see_answers_texts_only(seeing: Seeing) -> None:
    turns: list[Turn] = [("user", ["no picture"])]
    said = _said(seeing.folders["blind"], turns)
    assert seeing.ask("blind", turns).choices[0].message.content == said.text
    with pytest.raises(openai.BadRequestError, match="can't see pictures") as refused:
        seeing.ask("blind", _looked(_noise(0)))
    assert refused.value.code == "unsupported_by_provider"
    assert "mmproj" not in refused.value.message


def test_more_pictures_than_the_context_holds_are_refused(seeing: Seeing) -> None:
    turns: list[Turn] = [("user", [_noise(number) for number in range(10)])]
    with pytest.raises(openai.BadRequestError, match="160 of them for its pictures") as refused:
        seeing.ask("llava", turns)
    assert refused.value.code == "context_length_exceeded"


def test_a_picture_that_the_model_does_not_take_is_refused(seeing: Seeing) -> None:
    with pytest.raises(openai.BadRequestError, match="aspect ratio") as refused:
        seeing.ask("qwen", _looked(_noise(0, 600, 2)))
    assert (refused.value.code, refused.value.param) == ("invalid_value", "messages")


@pytest.mark.parametrize("model", MARKS)
def test_a_text_with_the_mark_of_a_picture_is_refused(seeing: Seeing, model: str) -> None:
    text = f"what is {MARKS[model]} in a text"
    for parts in ([text], [_noise(0), text]):
        with pytest.raises(openai.BadRequestError, match=re.escape(MARKS[model])) as refused:
            seeing.ask(model, [("user", parts)])
        assert (refused.value.code, refused.value.param) == ("invalid_value", "messages")


def _changed(folder: Path, to: Path, **files: Any) -> Path:
    """A copy with other files; None: without it."""
    shutil.copytree(folder, to)
    for name, content in files.items():
        (to / f"{name}.json").unlink()
        if content is not None:
            write_json(to, **{name: content})
    return to


def test_one_that_llama_cpp_can_not_show_pictures_is_run_by_torch(tmp_path: Path) -> None:
    llava, home = tmp_path / "llava", tmp_path / "home"
    save_llava(llava, "siglip")
    assert find_weights(llava, home).engine == "llama.cpp"
    file = llava / "preprocessor_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "rescale_factor": 1.0}))
    assert find_weights(llava, home) == Weights("torch", str(llava), has_processor=True)
    assert find_weights(llava, home, projector="none").engine == "llama.cpp"
    with pytest.raises(UnsupportedModel, match="colours"):
        find_weights(llava, home, "llama.cpp")


def test_what_makes_pictures_ready_has_to_be_there(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = _changed(
        folders["idefics"], tmp_path / "model", processor_config=None, preprocessor_config=None
    )
    with pytest.raises(ModelError, match=r"preprocessor_config\.json would"):
        find_weights(folder, tmp_path)
    assert find_weights(folder, tmp_path, projector="none") == Weights("torch", str(folder))
    with pytest.raises(ConfigError, match=r"mmproj 'a\.gguf' is for llama\.cpp"):
        find_weights(folders["idefics"], tmp_path, projector="a.gguf")


_OWN = {"processor_class": "Own", "auto_map": {"AutoProcessor": "own.Own"}}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (_OWN, "is never run"),
        ({"processor_class": "NoSuchProcessor"}, "knows no processor"),
        ([], "can't be loaded"),
    ],
)
def test_a_processor_that_can_not_be_used_is_named(
    folders: dict[str, Path], tmp_path: Path, settings: Any, says: str
) -> None:
    folder = _changed(folders["idefics"], tmp_path / "model", processor_config=settings)
    (folder / "own.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(ModelError, match=says) as failed:
        TorchSeer(folder, threads=1)
    assert str(folder) in str(failed.value)
    assert 'mmproj = "none"' in str(failed.value)


def test_a_start_that_fails_for_its_processor_says_so_in_a_line(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = _changed(folders["idefics"], tmp_path / "model", processor_config=_OWN)
    table = ModelTable(path=str(folder), context=256, parallel=1)
    weights = find_weights(folder, tmp_path)

    async def start() -> None:
        async with Engine("seer", launch("seer", table, weights, 1)):
            pass

    with pytest.raises(ModelError, match="is never run") as failed:
        asyncio.run(start())
    assert "Traceback" not in str(failed.value)
