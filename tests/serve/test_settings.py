"""The service's TOML file: what it says, and what is said of a wrong one."""

from pathlib import Path

import pytest

from archipel.errors import ConfigError
from archipel.serve.routing import PiecePrice, Policy, Price, Target
from archipel.serve.settings import read_settings

_GOOD = """
[models.small]
path = "smollm2-135m"

[providers.far]
url = "https://far.example/v1/"
key_env = "FAR_KEY"

[providers.near]
url = "http://gpu.local:8000/v1"
is_here = true

[routes.chat]
targets = [
  {provider = "far", model = "far-large", first_token_seconds = 5},
  {model = "small"},
]

[routes.secret]
order = "weighted"
data_stays_here = true
targets = [{provider = "near", model = "big", weight = 3}, {model = "small"}]
"""


def _write(folder: Path, text: str) -> Path:
    file = folder / "service.toml"
    file.write_text(text)
    return file


def test_routes_name_models_here_and_providers_elsewhere(tmp_path: Path) -> None:
    policies = read_settings(_write(tmp_path, _GOOD)).policies()
    assert list(policies) == ["small", "chat", "secret"]
    far = Target("far", "far-large", is_here=False, first_token_seconds=5)
    free = PiecePrice(picture=0)
    here = Target("small", "small", is_here=True, price=Price(0, 0), pieces=free)
    assert policies["small"] == Policy("small", (here,))
    assert policies["chat"] == Policy("chat", (far, here))
    assert [target.is_here for target in policies["secret"].targets] == [True, True]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('path = "smollm2-135m"', "", "models.small: Value error, path is lacking"),
        ('path = "smollm2-135m"', 'pth = "x"', "models.small.pth: Extra inputs"),
        ('model = "small"}', 'model = "smal"}', "routes.chat.targets.1: 'smal' is not one of"),
        ('provider = "far"', 'provider = "fat"', "'fat' is not one of [providers] (far, near)"),
        ('provider = "near"', 'provider = "far"', "routes.secret.targets.0: data_stays_here"),
        ("weight = 3", "weight = 0", "routes.secret.targets.0.weight: Input should be greater"),
        ("weight = 3", "weight = inf", "routes.secret.targets.0.weight"),
        ("_seconds = 5", "_seconds = -1", "routes.chat.targets.0.first_token_seconds"),
        ('"weighted"', '"heaviest"', "routes.secret.order"),
        ("https://far", "ftp://far", "is not an http(s) URL"),
        ("https://far", "https://me:word@far", "without credentials; they"),
        ("[models.small]", "[models.near]", "near: in [models] and in [providers]"),
        ("[models.small]", "[models.small", "is not TOML"),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, before: str, after: str, said: str) -> None:
    assert before in _GOOD
    with pytest.raises(ConfigError) as error:
        read_settings(_write(tmp_path, _GOOD.replace(before, after, 1)))
    assert said in str(error.value)
    assert "word" not in str(error.value)  # a password in a URL is not repeated


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml"):
        read_settings(tmp_path / "none.toml")
