"""Secrets of keys: made, hashed, and what one opens."""

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from archipel import config
from archipel.errors import ConfigError
from archipel.serve.accounts.limits import Limit
from archipel.serve.accounts.rulebook import rules_of
from archipel.serve.accounts.tables import keeps, keys, limits, memberships, people, projects
from archipel.serve.rules import Rule

_SHAPE = re.compile(r"arch-[A-Za-z0-9_-]{43}")
_SHOWN = 13  # characters of a secret that tell it from others
_PEPPER_BYTES = 32


@dataclass(frozen=True)
class Key:
    """What a secret opens, and within which limits: its own, its project's, its organisation's."""

    id: int
    project: int
    organisation: int
    models: Collection[str] | None  # None: all
    endpoints: Collection[str] | None
    expires: float | None
    limits: tuple[Limit, ...]
    rules: tuple[Rule, ...] = ()
    keep_days: float | None = None  # that the project keeps what is asked and answered
    keep_share: float = 1.0
    prefix: str = ""


def new_secret() -> str:
    """A new key as its owner sends it: 256 bits that nobody can guess."""
    return f"arch-{secrets.token_urlsafe(32)}"


def prefix(secret: str) -> str:
    """The part of a secret that may be shown."""
    return secret[:_SHOWN]


def digest(secret: str, pepper: bytes) -> str:
    """What the database holds instead of the secret: useless without the pepper."""
    return hashlib.blake2b(secret.encode(), key=pepper, digest_size=32).hexdigest()


def looks_like_key(secret: str) -> bool:
    """Whether it could be a secret of ours: others need not be looked up."""
    return _SHAPE.fullmatch(secret) is not None


def read_pepper() -> bytes:
    """What secrets are hashed with: ARCHIPEL_SECRET, or a file that is made at first.

    Raises:
        ConfigError: the file can't be read or written.
    """
    if given := config.secret():
        return hashlib.sha256(given.encode()).digest()
    file = config.home() / "service.secret"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError), open(file, "xb", opener=_private) as new:
            new.write(secrets.token_bytes(_PEPPER_BYTES))
        found = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"can't use {file}: {error.strerror}. Check the path.") from error
    if len(found) != _PEPPER_BYTES:
        raise ConfigError(
            f"{file} has {len(found)} bytes instead of {_PEPPER_BYTES}: it was altered, and no key "
            "can be checked. Put it back from a backup."
        )
    return found


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def find(connection: Connection, hashed: str, now: float) -> Key | None:
    """The key with this digest, if it may be used."""
    return _find(connection, keys.c.digest == hashed, now)


def find_by_id(connection: Connection, id: int, now: float) -> Key | None:
    """The key with this number, if it may be used."""
    return _find(connection, keys.c.id == id, now)


def _find(connection: Connection, which: ColumnElement[bool], now: float) -> Key | None:
    """A key that is neither revoked nor expired; if it is a person's, they are in its project and
    not disabled."""
    is_in = (memberships.c.person == keys.c.person) & (memberships.c.project == keys.c.project)
    may_use = people.c.disabled.is_(None) & or_(people.c.role == "admin", memberships.c.role != "")
    wanted = (
        select(keys, projects.c.organisation, keeps.c.days, keeps.c.share)
        .join(projects, keys.c.project == projects.c.id)
        .outerjoin(keeps, keeps.c.project == projects.c.id)
        .outerjoin(people, keys.c.person == people.c.id)
        .outerjoin(memberships, is_in)
        .where(which, keys.c.revoked.is_(None))
        .where(or_(keys.c.expires.is_(None), keys.c.expires > now))
        .where(or_(keys.c.person.is_(None), may_use))
    )
    row = connection.execute(wanted).one_or_none()
    if row is None:
        return None
    scopes = {"key": row.id, "project": row.project, "organisation": row.organisation}
    its = [and_(limits.c.scope == scope, limits.c.scope_id == id) for scope, id in scopes.items()]
    found = connection.execute(select(limits).where(or_(*its)).order_by(limits.c.id))
    return Key(
        row.id,
        row.project,
        row.organisation,
        row.models,
        row.endpoints,
        row.expires,
        tuple(Limit(one.id, one.scope, one.what, one.per, one.amount) for one in found),
        rules_of(connection, scopes),
        row.days,
        1.0 if row.share is None else row.share,
        row.prefix,
    )
