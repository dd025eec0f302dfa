"""The private keys that this machine holds: one file each, readable by its user only.

<folder>/<run>.json           the owner's key of a run; <run>: the first 16 digits of its digest
<folder>/<run>/<site>.json    a site's key
"""

import os
import tempfile
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from archipel.errors import ConfigError, IntegrityError
from archipel.ledger.keys import OWNER


class _KeyFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    private_key: str = Field(pattern=r"^[0-9a-f]{64}$")


class Keyring:
    """The keys below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, run: str, name: str) -> Path:
        """Where the key of a site of the run, or of its `OWNER`, is kept. `run`: its digest."""
        if name == OWNER:
            return self.folder / f"{run[:16]}.json"
        return self.folder / run[:16] / f"{name}.json"

    def find(self, run: str, name: str) -> str | None:
        """A private key, or None where this machine does not hold it.

        Raises:
            ConfigError: its file can't be read.
            IntegrityError: it holds no key.
        """
        path = self.path(run, name)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigError(f"can't read the key {path}: {error.strerror}") from error
        try:
            return _KeyFile.model_validate_json(data).private_key
        except ValidationError:
            # Not chained: the cause would show what may be half a key.
            raise IntegrityError(
                f"{path} holds no key: restore it from a copy, or delete it and be invited again"
            ) from None

    def keep(self, run: str, name: str, private: str) -> str:
        """Keep a private key; where there was one already, that one stays. Which one it is now.

        Raises:
            ConfigError: the folder can't be written.
            IntegrityError: the file that is there holds no key.
        """
        if (held := self.find(run, name)) is not None:
            return held  # without writing: the disk may be full by now
        path = self.path(run, name)
        data = _KeyFile(private_key=private).model_dump_json().encode() + b"\n"
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # 0600
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                path.hardlink_to(temporary)
            except FileExistsError:
                pass  # the first one to keep a key under this name has decided
            finally:
                Path(temporary).unlink(missing_ok=True)
        except OSError as error:
            raise ConfigError(
                f"can't keep a key in {path}: {error.strerror}. Check that there is room and that "
                "you may write there"
            ) from error
        held = self.find(run, name)
        assert held is not None
        return held
