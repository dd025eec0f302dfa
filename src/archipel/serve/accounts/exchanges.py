"""What is asked and answered, of projects that keep it: in the database, encrypted, for a time.

Texts are sealed with AES-GCM under a key that is made of the service's secret: whoever has the
database alone reads none of them.
"""

import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, Select, select

from archipel.errors import ConfigError, IntegrityError
from archipel.serve.accounts.administer import Office
from archipel.serve.accounts.tables import exchanges, keeps, keys, projects

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ANSWER_BYTES = 1 << 20  # what is longer is cut
_NONCE_BYTES = 12
_DAY_SECONDS = 24 * 3600
_TOGETHER = 500  # rows that one transaction deletes


@dataclass(frozen=True)
class Exchange:
    """A question and its answer in OpenAI's shape, as a client had it, a stream as its events.
    `answer` is cut if it is not `whole`."""

    id: str
    time: float
    project: str
    key: str  # its prefix
    endpoint: str
    model: str
    provider: str
    prompt_tokens: int
    completion_tokens: int
    whole: bool
    question: Mapping[str, Any] | None = None
    answer: bytes | None = None


class Seal:
    """Encrypts and decrypts texts of exchanges."""

    def __init__(self, pepper: bytes) -> None:
        self._pepper = pepper

    def close(self, text: bytes, place: str) -> bytes:
        """Encrypt; only with the same place is it opened again, so that rows can't be swapped."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, text, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """Decrypt.

        Raises:
            IntegrityError: it was altered, or sealed under another secret.
        """
        from cryptography.exceptions import InvalidTag

        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, rest, place.encode())
        except (InvalidTag, ValueError) as error:
            raise IntegrityError(
                f"exchange {place} can't be read: it was altered, or the service's secret is "
                "another one. Use the ARCHIPEL_SECRET, or service.secret, that it was kept under."
            ) from error

    @cached_property
    def _cipher(self) -> "AESGCM":
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # 6 MB, if something is kept

        digest = hashlib.blake2b(b"exchanges", key=self._pepper, digest_size=32).digest()
        return AESGCM(digest)


def keep(office: Office, project: str, days: float, share: float) -> None:
    """Keep what a project's keys ask and are answered, from now on; what is kept already stays for
    as many days too.

    Raises:
        ConfigError: there is no such project, or the days or the share make no sense.
    """
    if not 0 < days <= 36_500:
        raise ConfigError(f"--days {days:g}: give more than 0 and at most 36500.")
    if not 0 < share <= 1:
        raise ConfigError(f"--share {share:g}: give more than 0 and at most 1.")
    id = office.project(project)
    connection = office.connection
    connection.execute(keeps.delete().where(keeps.c.project == id))
    fields = {"project": id, "days": days, "share": share, "since": office.now}
    connection.execute(keeps.insert().values(fields))
    until = exchanges.c.time + days * _DAY_SECONDS
    its = exchanges.update().where(exchanges.c.project == id)
    connection.execute(its.values(expires=until))
    office.record("exchanges.keep", project=project, days=days, share=share)


def stop(office: Office, project: str) -> None:
    """Keep nothing more of a project; what is kept stays as long as was said.

    Raises:
        ConfigError: there is no such project, or it keeps nothing.
    """
    gone = keeps.delete().where(keeps.c.project == office.project(project))
    if not office.connection.execute(gone).rowcount:
        raise ConfigError(f"{project!r} keeps nothing.")
    office.record("exchanges.stop", project=project)


def purge(office: Office, project: str) -> int:
    """Delete all that is kept of a project; how many exchanges.

    Raises:
        ConfigError: there is no such project.
    """
    its = exchanges.delete().where(exchanges.c.project == office.project(project))
    count = office.connection.execute(its).rowcount
    office.record("exchanges.purge", project=project, exchanges=count)
    return count


def delete_expired(connection: Connection, now: float) -> int:
    """Delete some of what was kept long enough; how many, 0 if none is left."""
    old = select(exchanges.c.id).where(exchanges.c.expires <= now).limit(_TOGETHER)
    ids = list(connection.execute(old).scalars())
    connection.execute(exchanges.delete().where(exchanges.c.id.in_(ids)))
    return len(ids)


def keeping(connection: Connection) -> list[Row[Any]]:
    """Projects that keep exchanges: name, days, share."""
    wanted = select(projects.c.name, keeps.c.days, keeps.c.share)
    joined = wanted.join(keeps, keeps.c.project == projects.c.id)
    return list(connection.execute(joined.order_by(projects.c.name)))


def newest(connection: Connection, project: int | None, most: int) -> list[Exchange]:
    """The newest exchanges, without what was asked and answered."""
    wanted = _wanted(project).order_by(exchanges.c.time.desc()).limit(most)
    return [_exchange(row) for row in connection.execute(wanted)]


def one(connection: Connection, id: str, seal: Seal) -> Exchange:
    """The exchange whose id begins so.

    Raises:
        ConfigError: not exactly one does.
        IntegrityError: it can't be read.
    """
    its = exchanges.c.id.startswith(id, autoescape=True)
    found = list(connection.execute(_wanted(None).where(its).limit(2)))
    if len(found) != 1:
        raise ConfigError(f"{len(found) or 'no'} exchanges begin with {id!r}. Give more of its id.")
    return _exchange(found[0], seal)


def every(connection: Connection, project: int, seal: Seal) -> Iterator[Exchange]:
    """All exchanges of a project, the oldest first.

    Raises:
        IntegrityError: one can't be read.
    """
    wanted = _wanted(project).order_by(exchanges.c.time, exchanges.c.id)
    for row in connection.execute(wanted.execution_options(yield_per=100)):
        yield _exchange(row, seal)


def _wanted(project: int | None) -> Select[Any]:
    names = projects.c.name.label("project_name"), keys.c.prefix.label("key_prefix")
    wanted = (
        select(exchanges, *names)
        .join(projects, exchanges.c.project == projects.c.id)
        .join(keys, exchanges.c.key == keys.c.id)
    )
    return wanted if project is None else wanted.where(exchanges.c.project == project)


def _exchange(row: Row[Any], seal: Seal | None = None) -> Exchange:
    texts: dict[str, Any] = {}
    if seal:
        texts["question"] = json.loads(seal.open(row.question, f"{row.id} question"))
        texts["answer"] = seal.open(row.answer, f"{row.id} answer")
    names = ("id", "time", "endpoint", "model", "provider", "prompt_tokens", "completion_tokens")
    fields = {name: getattr(row, name) for name in (*names, "whole")}
    return Exchange(project=row.project_name, key=row.key_prefix, **fields, **texts)
