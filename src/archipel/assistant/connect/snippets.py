"""What a configuration is made from, and what it is: a piece of a file, to be copied. Pure."""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

Syntax = Literal[
    "json", "toml", "yaml", "lua", "vim", "lisp", "bash", "python", "javascript", "text"
]
KEY_HERE = "YOUR_KEY"  # stands where a person's own key belongs
ANY_KEY = "none"  # for programs that want some key where the service wants none


@dataclass(frozen=True)
class Reached:
    """How a program reaches the service: its API's address (…/v1), the models that fill gaps and
    converse (empty: there is none), and whether it wants a key."""

    api: str
    fill: str
    chat: str
    wants_key: bool

    @property
    def root(self) -> str:
        """The address for programs that add the /v1 themselves."""
        return self.api.removesuffix("/v1")

    @property
    def key(self) -> str:
        """What stands where a key belongs: never a key."""
        return KEY_HERE if self.wants_key else ANY_KEY


@dataclass(frozen=True)
class Snippet:
    """A piece of the file called `where`; of none, if that is empty."""

    where: str
    syntax: Syntax
    text: str


def api_address(service_url: str, page_url: str | None) -> str:
    """Where programs reach the API of the service at `service_url`: where there is a proxy before
    it and the page, under the proxy's name."""
    if page_url is None:
        return service_url
    parts = urlsplit(page_url)
    return f"{parts.scheme}://{parts.netloc}/v1"
