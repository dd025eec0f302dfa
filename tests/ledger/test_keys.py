"""Who may sign what: one contract for real and fake keys, and the real ones in a real store."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from archipel.errors import ConfigError, IntegrityError, RunError
from archipel.ledger import Claim, Heartbeat, Ledger, RunSpec
from archipel.ledger.invite import (
    Token,
    accept,
    create_as_owner,
    invite,
    open_as_owner,
    open_as_site,
)
from archipel.ledger.keyring import Keyring
from archipel.ledger.keys import OWNER, Keys
from archipel.store import Store
from tests.ledger.fake_keys import FakeKeys

Maker = Callable[[str | None], Keys]


@pytest.fixture
def owner(tmp_path: Path) -> Keyring:
    """The keys on the owner's machine."""
    return Keyring(tmp_path / "owner")


@pytest.fixture
def run(tmp_path: Path, owner: Keyring, spec: RunSpec) -> Store:
    store = Store(str(tmp_path / "run"))
    create_as_owner(store, owner, lambda key: spec.model_copy(update={"owner": key}))
    return store


@pytest.fixture(params=["real", "fake"])
def keys(request: pytest.FixtureRequest, run: Store, owner: Keyring) -> Maker:
    """Makes the keys of the members a and b, or of a mere reader."""

    def real(name: str | None) -> Keys:
        for site in ("a", "b"):
            invite(run, owner, site, {})
        ledger = open_as_site(run, owner, name) if name else Ledger.open(run)
        return ledger.seal.keys

    def fake(name: str | None) -> Keys:
        return FakeKeys(name, members={"a", "b"})

    return real if request.param == "real" else fake


def test_what_one_signs_the_others_verify(keys: Maker) -> None:
    signature = keys("a").sign(b"message")
    assert len(signature) == 64
    for reader in ("a", "b", None):
        keys(reader).verify("a", b"message", signature)


def test_another_message_name_or_signature_does_not_verify(keys: Maker) -> None:
    signature = keys("a").sign(b"message")
    for name, message, found in (
        ("a", b"another message", signature),
        ("b", b"message", signature),
        ("a", b"message", signature[:-1] + bytes([signature[-1] ^ 1])),
        ("a", b"message", b""),
    ):
        with pytest.raises(IntegrityError, match=f"not {name}'s"):
            keys("b").verify(name, message, found)


def test_a_stranger_does_not_verify(keys: Maker) -> None:
    with pytest.raises(IntegrityError, match="'mallory' is not a member"):
        keys("a").verify("mallory", b"message", b"\0" * 64)


def test_a_reader_can_not_sign(keys: Maker) -> None:
    reader = keys(None)
    assert reader.name is None
    with pytest.raises(RunError, match="read only"):
        reader.sign(b"message")


def test_a_member_invited_later_is_known_without_opening_again(run: Store, owner: Keyring) -> None:
    reader = Ledger.open(run)
    late = open_as_site(run, owner, "late")
    late.put_heartbeat(beat("late"))
    seen = reader.sighting("late")
    assert seen
    assert seen.heartbeat.site == "late"


def beat(site: str) -> Heartbeat:
    return Heartbeat(site=site, session=0, nonce="n", state="training")


def test_a_forged_name_is_refused(run: Store, owner: Keyring) -> None:
    mallory = open_as_site(run, owner, "mallory")
    mallory.put_heartbeat(beat("paris"))
    with pytest.raises(IntegrityError, match="mallory"):
        Ledger.open(run).sighting("paris")
    claim = Claim(site="paris", session=0, unit=0, generation=0, start=0)
    mallory.put_claim(claim)
    with pytest.raises(IntegrityError, match="different sites"):
        mallory.claim(0, 0)


def test_an_object_copied_to_another_name_or_run_is_refused(
    run: Store, owner: Keyring, spec: RunSpec, tmp_path: Path
) -> None:
    paris = open_as_site(run, owner, "paris")
    paris.put_heartbeat(beat("paris"))
    claim = Claim(site="paris", session=0, unit=0, generation=0, start=0)
    paris.put_claim(claim)
    data = run.get("claims/00000/00000000.0")
    assert data is not None
    run.put("claims/00000/00000001.0", data)
    with pytest.raises(IntegrityError, match="copied from another"):
        paris.claim(1, 0)
    other = Store(str(tmp_path / "other"))
    create_as_owner(other, owner, lambda key: spec.model_copy(update={"owner": key, "seed": 1}))
    twin = open_as_site(other, owner, "paris")
    other.put("claims/00000/00000000.0", data)
    with pytest.raises(IntegrityError, match="copied from another"):
        twin.claim(0, 0)


def test_a_member_record_that_the_owner_did_not_sign_lets_nobody_in(
    run: Store, owner: Keyring
) -> None:
    open_as_site(run, owner, "paris")
    data = run.get("members/paris.json")
    assert data is not None
    run.put("members/mallory.json", data)
    with pytest.raises(IntegrityError):
        Ledger.open(run).seal.keys.verify("mallory", b"", b"\0" * 64)


def test_a_token_is_all_that_a_site_needs(run: Store, owner: Keyring, tmp_path: Path) -> None:
    token = invite(run, owner, "paris", {"AWS_REGION": "eu-west-3"})
    assert invite(run, owner, "paris", {"AWS_REGION": "eu-west-3"}) == token
    word = token.encode()
    assert set(word) <= set(Token.decode(f" {word}\n").encode())
    there = Keyring(tmp_path / "paris")
    ledger = accept(Store(token.url), there, Token.decode(word))
    assert ledger.name == "paris"
    assert Token.decode(word).options == {"AWS_REGION": "eu-west-3"}
    assert open_as_site(run, there, "paris").name == "paris"
    assert token.private_key not in repr(token)


def test_keys_are_readable_by_their_user_only(run: Store, owner: Keyring) -> None:
    open_as_site(run, owner, "paris")
    files = [path for path in owner.folder.rglob("*") if path.is_file()]
    assert len(files) == 2
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_a_token_of_another_run_is_refused(run: Store, owner: Keyring, tmp_path: Path) -> None:
    token = invite(run, owner, "paris", {}).model_copy(update={"run": "ab" * 32})
    with pytest.raises(RunError, match="not the one that the token was made for"):
        accept(run, Keyring(tmp_path / "paris"), token)


@pytest.mark.parametrize("cut", [0, 1, 40, -1])
def test_half_a_token_is_refused_without_showing_it(run: Store, owner: Keyring, cut: int) -> None:
    word = invite(run, owner, "paris", {}).encode()
    with pytest.raises(ConfigError, match="not a whole one") as caught:
        Token.decode(word[:cut])
    assert word[:40] not in str(caught.value)


def test_a_token_reaches_no_further_than_the_store(run: Store, owner: Keyring) -> None:
    with pytest.raises(ConfigError, match="LD_PRELOAD"):
        invite(run, owner, "paris", {"LD_PRELOAD": "x"})


def test_without_a_key_one_is_told_whom_to_ask(run: Store, tmp_path: Path) -> None:
    stranger = Keyring(tmp_path / "stranger")
    with pytest.raises(RunError, match=r"archipel run invite .* --name paris"):
        open_as_site(run, stranger, "paris")
    with pytest.raises(RunError, match="owner's key"):
        invite(run, stranger, "paris", {})


def test_a_wrong_key_is_refused(run: Store, owner: Keyring, tmp_path: Path) -> None:
    open_as_site(run, owner, "paris")
    thief = Keyring(tmp_path / "thief")
    thief.keep(Ledger.open(run).run, "paris", "ab" * 32)
    with pytest.raises(RunError, match="does not know 'paris' by this key"):
        open_as_site(run, thief, "paris")


def test_creating_again_goes_on_and_another_owner_is_refused(
    run: Store, owner: Keyring, spec: RunSpec, tmp_path: Path
) -> None:
    again = create_as_owner(run, owner, lambda key: spec.model_copy(update={"owner": key}))
    assert again.name == OWNER == open_as_owner(run, owner).name
    with pytest.raises(RunError, match="another spec"):
        create_as_owner(run, owner, lambda key: spec.model_copy(update={"owner": key, "seed": 2}))
    elsewhere = Keyring(tmp_path / "elsewhere")
    with pytest.raises(RunError, match="owner's key"):
        create_as_owner(run, elsewhere, lambda key: spec.model_copy(update={"owner": key}))


def test_a_damaged_key_file_is_named(run: Store, owner: Keyring) -> None:
    path = owner.path(hashlib.sha256(run.get("run.json") or b"").hexdigest(), OWNER)
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(IntegrityError, match=path.name):
        invite(run, owner, "paris", {})
