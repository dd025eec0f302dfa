"""Who may take part: the members that the run's owner has signed, read from the store."""

from archipel.errors import IntegrityError, RunError
from archipel.ledger.frame import pack_line, unpack_line
from archipel.ledger.keys import OWNER, Seal, is_signed, public_key, sign
from archipel.ledger.schema import Member
from archipel.store import Objects


class MemberKeys:
    """The keys of a run's members, each read once, and maybe this process's own private key."""

    def __init__(
        self, store: Objects, run: str, owner: str, me: tuple[str, str] | None = None
    ) -> None:
        """`run` is the digest of run.json, `owner` its owner's public key, `me` a name and its
        private key."""
        self._store = store
        self._run = run
        self._public = {OWNER: owner}
        self._me = me

    @property
    def name(self) -> str | None:
        """The name that this process signs with, if it can."""
        return self._me[0] if self._me else None

    def sign(self, message: bytes) -> bytes:
        """This process's signature.

        Raises:
            RunError: it holds no key.
        """
        if self._me is None:
            raise RunError(
                "the run was opened to be read only: writing needs a site's key "
                "(`archipel site join`) or the owner's"
            )
        return sign(self._me[1], message)

    def verify(self, name: str, message: bytes, signature: bytes) -> None:
        """Make sure that the member `name` signed this.

        Raises:
            IntegrityError: it did not, or there is no such member.
            StoreError: the member's record can't be read just now.
        """
        public = self.public(name)
        if public is None:
            raise IntegrityError(
                f"{name!r} is not a member of this run: only the sites that its owner has invited "
                "count"
            )
        if not is_signed(public, message, signature):
            raise IntegrityError(
                f"the signature is not {name}'s for this object: it was forged, altered, or copied "
                "from another round, name or run"
            )

    def public(self, name: str) -> str | None:
        """A member's public key, or None.

        Raises:
            IntegrityError: the member's record is not signed by the owner.
        """
        if name not in self._public:
            member = read_member(self._store, name, Seal(self._run, self))
            if member is None:
                return None
            self._public[name] = member.key
        return self._public[name]


def read_member(store: Objects, site: str, seal: Seal) -> Member | None:
    """A site's member record, or None.

    Raises:
        IntegrityError: it is not signed by the owner, or another site's.
    """
    key = _key(site)
    data = store.get(key)
    if data is None:
        return None
    line, signer = unpack_line(data, key, seal)
    member = Member.parse(line, key)
    if signer != OWNER or member.site != site:
        raise IntegrityError(f"{key} is {member.site}'s, signed by {signer}: it does not count")
    return member


def put_member(store: Objects, site: str, private: str, seal: Seal) -> bool:
    """Let a site take part with this key; False where it already may, with another one.

    Raises:
        RunError: `seal` is not the owner's.
    """
    if seal.keys.name != OWNER:
        raise RunError(f"only the run's owner can let {site} take part")
    key = _key(site)
    member = Member(site=site, key=public_key(private))
    return store.put_if_absent(key, pack_line(member.to_json(), key, seal))


def member_names(store: Objects) -> list[str]:
    """All sites that were ever invited; a LIST."""
    return [info.key.split("/")[1].removesuffix(".json") for info in store.list("members")]


def _key(site: str) -> str:
    return f"members/{site}.json"
