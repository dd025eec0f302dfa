"""TensorBoard event files of a run: one sub-run for each site, `sites/NAME`, and one of all, `run`.

Their steps are the tokens that all sites together had trained, so that the curves lie on one axis.
A file beside them remembers what is written: whoever goes on later repeats no point.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from tensorboardX.proto.event_pb2 import Event  # type: ignore[import-untyped]
from tensorboardX.proto.summary_pb2 import Summary  # type: ignore[import-untyped]
from tensorboardX.record_writer import RecordWriter  # type: ignore[import-untyped]

from archipel.errors import ConfigError
from archipel.files import write_atomic
from archipel.ledger import Ledger
from archipel.ledger.history import MetricsReader, Piece, Place, TrainingPoint
from archipel.ledger.view import RunView

_STATE = "archipel-watch.json"
_STRETCHES = 1000  # of the run's budget: one point of all sites for each
_STILL_OPEN = 2  # stretches before the newest, which slow metrics may still reach
_NOT_SCALARS = ("time", "global_tokens")


class _Stretch(BaseModel):
    """What the sites reported within a stretch of tokens, to be averaged."""

    points: int = 0
    time: float = 0.0
    loss: float = 0.0
    rates: dict[str, tuple[int, float]] = {}  # by site: points, sum of tokens per second

    def add(self, site: str, point: TrainingPoint) -> None:
        """Take a point in."""
        self.points += 1
        self.time += point.time
        self.loss += point.loss
        count, rate = self.rates.get(site, (0, 0.0))
        self.rates[site] = (count + 1, rate + point.tokens_per_second)

    def scalars(self) -> dict[str, float]:
        """Its means; the sites' speeds are added."""
        speed = sum(rate / count for count, rate in self.rates.values())
        return {"loss": self.loss / self.points, "tokens_per_second": speed}


class _State(BaseModel):
    """What the event files hold; saved after them, so that what they hold beyond it can go."""

    model_config = ConfigDict(extra="forbid")

    run: str
    era: int = 0
    read: dict[str, Place] = {}
    sizes: dict[str, int] = {}
    stretches: dict[int, _Stretch] = {}
    closed: int = -1


class EventFiles:
    """Writes what is new of a run into a folder's event files. One at a time for a folder."""

    def __init__(self, ledger: Ledger, folder: Path) -> None:
        """Go on in `folder`, or begin there.

        Raises:
            ConfigError: the folder holds another run's files, or can't be written.
        """
        self._folder = folder
        self._files: dict[str, Any] = {}
        self._state = self._load(ledger)
        self._begin(ledger)
        with _errors(folder):
            self._cut_back()

    def _begin(self, ledger: Ledger) -> None:
        """Read this era of the run; after a rollback its metrics begin anew, its curves go back."""
        self._ledger = ledger
        era = ledger.era.number if ledger.era else 0
        if self._state.era != era:
            self._state = _State(run=ledger.run, era=era, sizes=self._state.sizes)
        self._reader = MetricsReader(ledger, in_order=True, after=self._state.read)

    def write(self, view: RunView) -> None:
        """Write all that the run's metrics hold by now.

        Raises:
            StoreError: the run can't be read just now; call again.
            ConfigError: the folder can't be written.
        """
        newest = self._ledger.newest()
        if newest.era != self._ledger.era:
            self._begin(newest)
        sessions = {site.heartbeat.site: site.heartbeat.session for site in view.sites}
        while pieces := self._reader.read(sessions):
            with _errors(self._folder):
                for piece in pieces:
                    self._take(piece)
                self._close_stretches(everything=False)
                self._save()
            if not self._reader.behind:
                break
        if view.state == "finished" and self._state.stretches:
            with _errors(self._folder):
                self._close_stretches(everything=True)
                self._save()

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()

    def _load(self, ledger: Ledger) -> _State:
        path = self._folder / _STATE
        if not path.exists():
            return _State(run=ledger.run)
        try:
            state = _State.model_validate_json(path.read_bytes())
        except (ValidationError, OSError) as error:
            raise ConfigError(f"can't read {path}: delete it and the folders beside it") from error
        if state.run != ledger.run:
            raise ConfigError(f"{self._folder} holds another run's curves: choose another folder")
        return state

    def _cut_back(self) -> None:
        """Remove what was written after the state was last saved."""
        for path in self._folder.glob("**/events.out.tfevents.*.archipel"):
            size = self._state.sizes.get(str(path.relative_to(self._folder)))
            if size is None:
                path.unlink()
            elif path.stat().st_size > size:
                with path.open("r+b") as file:
                    file.truncate(size)

    def _take(self, piece: Piece) -> None:
        for point in piece.points():
            if not isinstance(point, TrainingPoint):
                continue
            said = {**point.model_dump(include=point.model_fields_set), **(point.model_extra or {})}
            scalars = {
                name: float(value)
                for name, value in said.items()
                if name not in _NOT_SCALARS and type(value) in (int, float) and math.isfinite(value)
            }
            self._put(f"sites/{piece.site}", point.global_tokens, point.time, scalars)
            number = point.global_tokens // self._stretch_tokens
            if number > self._state.closed:
                self._state.stretches.setdefault(number, _Stretch()).add(piece.site, point)
        self._state.read[piece.site] = piece.place

    @property
    def _stretch_tokens(self) -> int:
        return max(
            self._ledger.spec.inner.batch_tokens, self._ledger.spec.budget_tokens // _STRETCHES
        )

    def _close_stretches(self, *, everything: bool) -> None:
        """Write the means of the stretches that no metrics will reach any more."""
        stretches = self._state.stretches
        upto = max(stretches, default=0) - (0 if everything else _STILL_OPEN)
        for number in sorted(n for n in stretches if n <= upto):
            found = stretches.pop(number)
            step = (number + 1) * self._stretch_tokens
            step = min(step, self._ledger.spec.budget_tokens)
            self._put("run", step, found.time / found.points, found.scalars())
            self._state.closed = number

    def _put(self, sub_run: str, step: int, seconds: float, scalars: dict[str, float]) -> None:
        if sub_run not in self._files:
            self._files[sub_run] = self._open(sub_run, seconds)
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
        event = Event(wall_time=seconds, step=step, summary=Summary(value=values))
        self._files[sub_run].write(event.SerializeToString())

    def _open(self, sub_run: str, seconds: float) -> Any:
        """A new file, after those that earlier processes wrote."""
        folder = self._folder / sub_run
        folder.mkdir(parents=True, exist_ok=True)
        number = len(list(folder.glob("events.out.tfevents.*.archipel")))
        path = folder / f"events.out.tfevents.{number:010d}.archipel"
        self._state.sizes[str(path.relative_to(self._folder))] = 0
        records = RecordWriter(str(path))
        version = Event(wall_time=seconds, file_version="brain.Event:2")
        records.write(version.SerializeToString())
        return records

    def _save(self) -> None:
        for file in self._files.values():
            file.flush()
        for name in self._state.sizes:
            self._state.sizes[name] = (self._folder / name).stat().st_size
        write_atomic(self._folder / _STATE, self._state.model_dump_json().encode())


@contextmanager
def _errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"can't write {folder}: {error.strerror}. Check that there is room and that you may "
            "write there."
        ) from error
