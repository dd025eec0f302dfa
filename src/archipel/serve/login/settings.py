"""`[login]` and `[oidc]` of the service's TOML file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from archipel.hosts import is_loopback
from archipel.serve.accounts.people import ProjectRole, Role

_Text = Annotated[str, Field(min_length=1, max_length=256)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LoginTable(_Table):
    """`[login]`: where browsers reach the service, and how long people stay logged in."""

    url: str | None = Field(default=None, description="https://HOST; without: this machine only")
    hours: float = Field(default=12, gt=0, le=24 * 30)
    idle_minutes: float = Field(default=60, gt=0, le=60 * 24 * 30)

    @field_validator("url")
    @classmethod
    def _is_origin(cls, url: str | None) -> str | None:
        return url if url is None else _safe_url(url, path=False)


class GroupTable(_Table):
    """`[oidc.groups.NAME]`: what a group of the provider makes of a person here."""

    role: Role = "person"
    projects: Mapping[_Text, ProjectRole] = Field(default_factory=dict)


class OidcTable(_Table):
    """`[oidc]`: people log in at an OpenID provider."""

    issuer: str
    client_id: _Text
    client_secret_env: str | None = None
    client_secret_file: Path | None = None
    scopes: tuple[_Text, ...] = ("openid", "email", "profile")
    label: str = Field(default="OpenID", max_length=64, description="on the button")
    email_domains: tuple[_Text, ...] = Field(default=(), description="let nobody else in")
    groups_claim: _Text | None = None
    groups: Mapping[_Text, GroupTable] = Field(default_factory=dict)

    @field_validator("issuer")
    @classmethod
    def _is_safe(cls, url: str) -> str:
        return _safe_url(url, path=True)

    @field_validator("scopes")
    @classmethod
    def _has_openid(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in scopes:
            raise ValueError('"openid" must be one of them')
        return scopes

    @model_validator(mode="after")
    def _fits(self) -> "OidcTable":
        if self.client_secret_env and self.client_secret_file:
            raise ValueError("give client_secret_env or client_secret_file, not both")
        if bool(self.groups) != bool(self.groups_claim):
            raise ValueError("give groups_claim and [oidc.groups.NAME], or neither")
        return self


def is_safe(url: str) -> bool:
    """Whether what goes to a URL can't be read on the way: TLS, or this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))


def _safe_url(url: str, *, path: bool) -> str:
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise ValueError("give the URL without credentials")
    if not parts.hostname or not is_safe(url) or parts.query or parts.fragment:
        raise ValueError(f"{url!r} is not an https URL (http only on this machine)")
    if not path and parts.path.strip("/"):
        raise ValueError(f"{url!r}: give the host without a path")
    return url if path else url.rstrip("/")
