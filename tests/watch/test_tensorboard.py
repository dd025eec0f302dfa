"""Event files, read back by a reader of their published format."""

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event

from archipel.errors import ConfigError
from archipel.watch.tensorboard import EventFiles
from tests.ledger.paper import START, PaperRun, point
from tests.watch.conftest import beat, feed_of

Scalars = dict[tuple[str, int], tuple[float, float]]  # (tag, step): (time, value)


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli), bit by bit, masked as TFRecord files have it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    at = 0
    while at < len(data):
        length, check = struct.unpack_from("<QI", data, at)
        assert check == crc32c(data[at : at + 8])
        body = data[at + 12 : at + 12 + length]
        assert struct.unpack_from("<I", data, at + 12 + length)[0] == crc32c(body)
        yield body
        at += 16 + length


def scalars(folder: Path) -> Scalars:
    """All scalars of a sub-run. A point that is there twice fails."""
    found: Scalars = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):
        events = [Event.FromString(record) for record in records(path)]
        assert events[0].file_version == "brain.Event:2"
        for event in events[1:]:
            for value in event.summary.value:
                key = (value.tag, event.step)
                assert key not in found
                found[key] = (event.wall_time, value.simple_value)
    return found


def write(run: PaperRun, folder: Path) -> None:
    """What one process of `run watch --tensorboard` does, from start to end."""
    files = EventFiles(run.open(), folder)
    view = feed_of(run).view
    assert view is not None
    files.write(view)
    files.close()


def test_each_site_and_the_run(run: PaperRun, tmp_path: Path) -> None:
    run.metrics("paris", point(512_000, loss=2.5, busy=0.75, held_out_loss=3.0, note="text"))
    write(run, tmp_path)
    paris = scalars(tmp_path / "sites/paris")
    assert paris["loss", 512_000] == (START + 512, pytest.approx(2.5))
    assert paris["busy", 512_000][1] == 0.75
    assert paris["held_out_loss", 512_000][1] == 3.0
    assert paris["learning_rate", 512_000][1] == pytest.approx(1e-3)
    assert paris["bytes_out", 12_500][1] == 25_000
    assert len([step for tag, step in paris if tag == "loss"]) == 41
    together = scalars(tmp_path / "run")
    assert together["tokens_per_second", 13_000][1] == 1_000
    first = [paris["loss", 12_500][1], scalars(tmp_path / "sites/tokyo")["loss", 12_520][1]]
    assert together["loss", 13_000][1] == pytest.approx(sum(first) / 2)
    assert not (tmp_path / "sites/eve").exists()


def test_going_on_repeats_no_point(run: PaperRun, tmp_path: Path) -> None:
    write(run, tmp_path)
    before = scalars(tmp_path / "sites/paris")
    write(run, tmp_path)
    assert scalars(tmp_path / "sites/paris") == before
    run.metrics("paris", point(600_000, loss=1.5))
    write(run, tmp_path)
    after = scalars(tmp_path / "sites/paris")
    assert before.items() <= after.items()
    assert after["loss", 600_000][1] == 1.5
    scalars(tmp_path / "run")


def test_what_a_killed_writer_left_is_not_there_twice(run: PaperRun, tmp_path: Path) -> None:
    write(run, tmp_path)
    kept = (tmp_path / "archipel-watch.json").read_bytes()
    run.metrics("paris", point(600_000))
    write(run, tmp_path)  # it is killed before it has noted what it wrote
    (tmp_path / "archipel-watch.json").write_bytes(kept)
    [half, *_] = sorted((tmp_path / "sites/paris").glob("*tfevents*"))
    with half.open("ab") as file:
        file.write(b"half a record")
    write(run, tmp_path)
    assert ("loss", 600_000) in scalars(tmp_path / "sites/paris")
    scalars(tmp_path / "run")


def test_the_run_is_written_to_its_end_once_it_is_finished(run: PaperRun, tmp_path: Path) -> None:
    run.metrics("paris", point(1_000_000))
    write(run, tmp_path)
    assert ("loss", 1_000_000) not in scalars(tmp_path / "run")
    beat(run, "paris", state="done")
    beat(run, "tokyo", state="done")
    write(run, tmp_path)
    assert ("loss", 1_000_000) in scalars(tmp_path / "run")


def test_a_rollback_goes_on_in_the_same_folder(run: PaperRun, tmp_path: Path) -> None:
    files = EventFiles(run.open(), tmp_path)
    view = feed_of(run).view
    assert view is not None
    files.write(view)
    run.roll_back(without=["eve"], reason="poison")
    beat(run, "paris")
    run.metrics("paris", point(250_001, loss=1.25))
    view = feed_of(run).view
    assert view is not None
    files.write(view)
    files.close()
    assert scalars(tmp_path / "sites/paris")["loss", 250_001][1] == 1.25


def test_a_folder_of_another_run_is_refused(run: PaperRun, tmp_path: Path) -> None:
    write(run, tmp_path / "events")
    other = PaperRun(tmp_path / "other")
    with pytest.raises(ConfigError, match="another run"):
        EventFiles(other.open(), tmp_path / "events")
    (tmp_path / "events/archipel-watch.json").write_text("{")
    with pytest.raises(ConfigError, match="delete it"):
        EventFiles(run.open(), tmp_path / "events")


def test_a_folder_that_cannot_be_written_is_named(run: PaperRun, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    files = EventFiles(run.open(), tmp_path / "file/events")
    view = feed_of(run).view
    assert view is not None
    with pytest.raises(ConfigError, match="file/events"):
        files.write(view)
