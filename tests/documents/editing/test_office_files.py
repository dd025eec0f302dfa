"""The files that `archipel bench documents` makes, all of their text changed."""

from pathlib import Path

import pytest

from archipel.errors import ConfigError
from benchmarks.documents import run
from benchmarks.office.cases import Case, case
from benchmarks.office.libreoffice import check_installed, converted, texts
from benchmarks.office.made import FILES, QUICK
from benchmarks.office.rules import RULES
from tests.conftest import missing


@pytest.fixture(params=[(name, rule) for name in FILES for rule in RULES], ids="-".join)
def changed(request: pytest.FixtureRequest) -> Case:
    return case(*request.param)


def test_there_are_thirty_of_three_kinds() -> None:
    kinds = [name.rpartition(".")[2] for name in FILES]
    assert [kinds.count(kind) for kind in ("docx", "pptx", "xlsx")] == [14, 8, 8]
    assert len({name.rpartition(".")[0] for name in FILES}) == 30
    assert set(QUICK) < set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_made_the_same_each_time(name: str) -> None:
    assert FILES[name]() == FILES[name]()


def test_all_but_the_text_is_as_it_was(changed: Case) -> None:
    assert changed.old
    assert all(old != new for old, new in zip(changed.old, changed.new, strict=True))
    assert changed.faults() == []
    assert changed.differences() == []


def test_changes_are_accepted_and_refused_to_the_letter(changed: Case) -> None:
    if changed.is_tracked:
        assert changed.accepts()
        assert changed.refuses()
    else:
        assert changed.after == changed.plain


def test_libreoffice_opens_them_and_accepts_and_refuses_the_changes(tmp_path: Path) -> None:
    try:
        check_installed()
    except ConfigError:
        missing("LibreOffice")
    cases = [case(name, "translated") for name in ("contract-fr.docx", "reviewed-en.docx")]
    orders = []
    for one in cases:
        for version, data in (("t", one.after), ("p", one.plain), ("b", one.before)):
            (tmp_path / f"{version}-{one.name}").write_bytes(data)
        files = [tmp_path / f"{version}-{one.name}" for version in "tptb"]
        orders += list(zip(files, ("accept", "accept", "refuse", "refuse"), strict=True))
    paths = [path for path, action in orders if action == "accept"]
    assert converted(paths, tmp_path) == {path.name for path in paths}
    shown = iter(texts(orders, tmp_path))
    for accepted, plain, refused, before in zip(shown, shown, shown, shown, strict=True):
        assert accepted == plain != before
        assert refused == before


def test_without_libreoffice_the_benchmark_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigError, match="apt-get install libreoffice-writer-nogui"):
        run(quick=True)
