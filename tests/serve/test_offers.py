"""What `GET /v1/models` tells of each model beside its name."""

from pathlib import Path

import pytest
from openai import OpenAI

from archipel.errors import ConfigError
from archipel.serve.access import LocalAccess
from archipel.serve.gateway import create_app
from archipel.serve.offers import offers
from archipel.serve.providers import Directory
from archipel.serve.setting_tables import ModelTable
from archipel.serve.settings import Settings, read_settings, with_models
from tests.serve.scripted import hosted_in_thread

_FILE = """
[models.small]
path = "smollm2-135m"
context = 2048
adapters = {legal = "./legal.gguf"}

[models.finder]
path = "finder.gguf"
pooling = "mean"

[providers.far]
url = "https://far.example/v1"

[providers.near]
url = "http://gpu.local:8000/v1"
is_here = true

[routes.chat]
targets = [
  {provider = "near", model = "big", context = 32000},
  {provider = "far", model = "large", context = 8000, prompt_price = 0.5, completion_price = 1.5},
  {model = "legal"},
]

[routes.art]
abilities = ["pictures"]
targets = [{provider = "far", model = "painter"}]

[accounts]
currency = "CHF"
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    file = tmp_path / "service.toml"
    file.write_text(_FILE)
    return read_settings(file)


def test_a_model_here_says_its_context_and_costs_nothing(settings: Settings) -> None:
    free = {"prompt": 0.0, "completion": 0.0, "currency": "CHF"}
    found = offers(settings, in_cluster=False)
    assert found["small"] == found["legal"]
    assert found["legal"] == {
        "context_length": 2048,
        "max_model_len": 2048,
        "place": "machine",
        "supplier": None,
        "price": free,
        "abilities": ["chat"],
        "tasks": None,
        "languages": None,
        "providers": [{"name": "small", "place": "machine", "price": free}],
    }
    assert found["finder"]["abilities"] == ["embeddings"]
    assert offers(settings, in_cluster=True)["small"]["place"] == "house"


def test_a_route_says_the_furthest_that_it_may_go_and_the_shortest_context(
    settings: Settings,
) -> None:
    chat = offers(settings, in_cluster=False)["chat"]
    assert (chat["place"], chat["supplier"], chat["context_length"]) == ("supplier", "far", 2048)
    assert [one["place"] for one in chat["providers"]] == ["house", "supplier", "machine"]
    assert chat["price"] is None  # the first's, which the file does not say
    assert chat["providers"][1]["price"]["completion"] == 1.5
    assert chat["abilities"] is None


def test_what_the_file_does_not_say_is_null(settings: Settings) -> None:
    art = offers(settings, in_cluster=False)["art"]
    assert (art["context_length"], art["price"]) == (None, None)
    assert art["abilities"] == ["pictures"]


def test_a_context_is_said_in_one_place(tmp_path: Path) -> None:
    file = tmp_path / "service.toml"
    file.write_text(_FILE.replace('{model = "legal"}', '{model = "legal", context = 9}'))
    with pytest.raises(ConfigError, match="in the model's table"):
        read_settings(file)


def test_what_a_model_is_made_for_is_said_by_its_card_its_table_or_its_route(
    tmp_path: Path,
) -> None:
    (tmp_path / "fr").mkdir()
    (tmp_path / "fr/model.gguf").write_bytes(b"")
    (tmp_path / "fr/README.md").write_text("---\ntasks: [translate]\nlanguage: [fr, en]\n---\n")
    adapter = tmp_path / "adapter.gguf"
    adapter.write_bytes(b"")
    (tmp_path / "service.toml").write_text(f"""
        [models]
        card = {{path = "{tmp_path}/fr", adapters = {{legal = "{adapter}"}}}}
        own = {{path = "{tmp_path}/fr", tasks = ["chat"]}}

        [providers.far]
        url = "https://far.example/v1"

        [routes]
        code = {{targets = [{{provider = "far", model = "c"}}], tasks = ["code"]}}
        either = {{targets = [{{model = "card"}}, {{provider = "far", model = "c"}}]}}
    """)
    written = read_settings(tmp_path / "service.toml")
    whole, _ = with_models(written, [], lambda path: ModelTable(path=path), tmp_path)
    told = {
        name: (offer["tasks"], offer["languages"])
        for name, offer in offers(whole, in_cluster=False).items()
    }
    assert told == {
        "card": (["translate"], ["fr", "en"]),
        "legal": (None, None),
        "own": (["chat"], ["fr", "en"]),
        "code": (["code"], None),
        "either": (["translate"], ["fr", "en"]),
    }
    assert whole.fixed_changes(whole) == []


def test_a_task_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "service.toml"
    file.write_text(_FILE.replace('pooling = "mean"', 'tasks = ["translte"]'))
    with pytest.raises(ConfigError, match=r"models\.finder\.tasks"):
        read_settings(file)


def test_the_official_client_takes_it(settings: Settings) -> None:
    directory = Directory(settings.policies(), {}, offers=offers(settings, in_cluster=False))
    with (
        hosted_in_thread(create_app(directory, LocalAccess())) as url,
        OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client,
    ):
        models = {model.id: model for model in client.models.list()}
    assert set(models) == {"small", "legal", "finder", "chat", "art"}
    assert models["chat"].owned_by == "archipel"
    extra = models["chat"].model_extra
    assert extra is not None
    assert extra["place"] == "supplier"
