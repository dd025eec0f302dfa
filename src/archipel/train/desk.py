"""What the parts of a site's exchange share: who the site is, and what it works with."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from archipel.ledger import Ledger, Range
from archipel.train.accounts import Accounts
from archipel.train.claims import Claims
from archipel.train.fragments import Vector
from archipel.train.mailbox import Mailbox
from archipel.train.neighbours import Neighbours
from archipel.train.state import GlobalState


class Superseded(Exception):
    """The run went on without what this site had trained: it must join again."""


@dataclass(frozen=True)
class Identity:
    """Who this process is: the site's name, and which of its processes."""

    site: str
    session: int
    nonce: str
    hardware: str = ""
    cores: int = 1  # that training uses


@dataclass(frozen=True)
class Desk:
    """What all chains of a site share."""

    ledger: Ledger
    state: GlobalState
    who: Identity
    mailbox: Mailbox
    claims: Claims
    neighbours: Neighbours
    accounts: Accounts
    executor: Executor
    readers: Executor
    witness: Callable[[GlobalState, int, Sequence[Range]], Vector]
