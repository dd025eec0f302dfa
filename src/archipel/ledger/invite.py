"""Creating a run as its owner, inviting sites into it, opening it as an invited site.

A token is all that a site needs, and a secret: it holds the site's private key.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from archipel.errors import ConfigError, RunError
from archipel.files import sha256_bytes
from archipel.ledger.keyring import Keyring
from archipel.ledger.keys import OWNER, new_private_key, public_key
from archipel.ledger.members import MemberKeys, put_member, read_member
from archipel.ledger.record import Ledger, read_spec
from archipel.ledger.schema import Digest, Name, RunSpec, check_site_name
from archipel.store import Objects

_OPTION = re.compile(r"(AWS|AZURE|GOOGLE)_[A-Z0-9_]+")


class Token(BaseModel):
    """What a site needs to take part: where the run is, who it is there, how to reach the store."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str
    run: Digest  # of run.json
    site: Name
    private_key: str = Field(pattern=r"^[0-9a-f]{64}$", repr=False)
    options: dict[str, str] = Field(default={}, repr=False)

    def encode(self) -> str:
        """The token as one word."""
        return base64.urlsafe_b64encode(self.model_dump_json().encode()).rstrip(b"=").decode()

    @classmethod
    def decode(cls, text: str) -> "Token":
        """The inverse of `encode`.

        Raises:
            ConfigError: it is not a whole token.
        """
        text = text.strip()
        try:
            data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            token = cls.model_validate_json(data)
            check_options(token.options)
        except (binascii.Error, ValidationError, ValueError):
            # Not chained: the cause would show part of the secret.
            raise ConfigError(
                f"the token ({len(text)} characters) is not a whole one: copy all of what "
                "`archipel run invite` printed"
            ) from None
        return token


def check_options(options: Mapping[str, str]) -> None:
    """Make sure that options are a store's: a token must not reach further into a machine.

    Raises:
        ConfigError: one is not.
    """
    for name in options:
        if not _OPTION.fullmatch(name):
            raise ConfigError(
                f"{name!r} is not a store's option: only AWS_…, AZURE_… and GOOGLE_… are"
            )


def create_as_owner(store: Objects, keyring: Keyring, spec_of: Callable[[str], RunSpec]) -> Ledger:
    """Create a run with an owner's key of its own; `spec_of` its public half is the spec.

    Where the run exists already, the same spec changes nothing.

    Raises:
        RunError: another run has this URL, or its owner's key is not on this machine.
        StoreError: the store can't be read or written.
    """
    if store.get("run.json") is None:
        private = new_private_key()
        spec = spec_of(public_key(private))
        run = sha256_bytes(spec.to_json())
        keyring.keep(run, OWNER, private)
    else:
        run = read_spec(store)[1]
        private = _owners_key(store, keyring)
        spec = spec_of(public_key(private))
    return Ledger.create(store, spec, MemberKeys(store, run, spec.owner, (OWNER, private)))


def open_as_owner(store: Objects, keyring: Keyring) -> Ledger:
    """Open a run as its owner.

    Raises:
        RunError: there is no run, or its owner's key is not on this machine.
        StoreError: the store can't be read.
    """
    return Ledger.open_as(store, OWNER, _owners_key(store, keyring))


def invite(store: Objects, keyring: Keyring, site: str, options: Mapping[str, str]) -> Token:
    """Let a site take part, and make its token; the same site again gets the same key.

    Raises:
        ConfigError: the name or an option can't be used.
        RunError: this machine doesn't hold the owner's key, or the site was invited elsewhere.
        StoreError: the store can't be read or written.
    """
    check_site_name(site)
    check_options(options)
    owner = open_as_owner(store, keyring)
    private = _let_in(owner, keyring, site)
    return Token(
        url=store.url, run=owner.run, site=site, private_key=private, options=dict(options)
    )


def open_as_site(store: Objects, keyring: Keyring, site: str) -> Ledger:
    """Open a run as a site whose key this machine holds, or as one that its owner lets in here.

    Raises:
        ConfigError: the name can't be used.
        RunError: there is no such run, or the owner has to invite the site first.
        StoreError: the store can't be read or written.
    """
    check_site_name(site)
    _, run = read_spec(store)
    if keyring.find(run, OWNER):
        private: str | None = _let_in(open_as_owner(store, keyring), keyring, site)
    else:
        private = keyring.find(run, site)
    if private is None:
        raise RunError(
            f"{site!r} may not take part in the run at {store.url} yet: ask its owner for "
            f"`archipel run invite {store.url} --name {site}`, then "
            "`archipel site join --token TOKEN`"
        )
    return Ledger.open_as(store, site, private)


def accept(store: Objects, keyring: Keyring, token: Token) -> Ledger:
    """Open a run with a token, and keep its key, so that the next time its name is enough.

    Raises:
        RunError: there is another run at the token's URL, or it doesn't know the token's key.
        StoreError: the store can't be read.
    """
    _, run = read_spec(store)
    if run != token.run:
        raise RunError(
            f"the run at {store.url} is not the one that the token was made for: its run.json is "
            "another. Ask the run's owner which it should be"
        )
    ledger = Ledger.open_as(store, token.site, token.private_key)
    keyring.keep(run, token.site, token.private_key)
    return ledger


def _owners_key(store: Objects, keyring: Keyring) -> str:
    _, run = read_spec(store)
    private = keyring.find(run, OWNER)
    if private is None:
        raise RunError(
            f"this takes the owner's key of the run at {store.url}, which `archipel run create` "
            f"left in {keyring.path(run, OWNER)} on the machine that created the run: do it there "
            "as the same user, or copy that file here"
        )
    return private


def _let_in(owner: Ledger, keyring: Keyring, site: str) -> str:
    """Make a site a member if it is none yet; its private key."""
    private = keyring.find(owner.run, site)
    if private is None:
        if read_member(owner.store, site, owner.seal):
            raise RunError(
                f"{site!r} was invited from another machine, which keeps its key: print its token "
                "there again, or take another name"
            )
        private = keyring.keep(owner.run, site, new_private_key())
    if not put_member(owner.store, site, private, owner.seal):
        raise RunError(f"{site!r} already takes part with another key: take another name")
    return private
