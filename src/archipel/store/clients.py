"""obstore's clients for one URL. Small operations and parts have their own: own connections, own
time-outs."""

import threading
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from obstore.store import LocalStore, ObjectStore, from_url

from archipel import config
from archipel.errors import ConfigError

_REMOTE_SCHEMES = ("s3", "az", "gs")
# A reply that brings nothing for so long comes from a link or a store that is dead.
_SILENCE = timedelta(seconds=15)
# A body may take this long in all, as long as it keeps coming.
_LONGEST = timedelta(hours=1)
# An upload may take as long as four at once take on a link of 1 Mbit/s.
_SLOWEST_BYTES_PER_SECOND = 125_000 / 4


class Clients:
    """The clients for one URL, each made when it is first asked for."""

    def __init__(self, url: str) -> None:
        """Raises ConfigError, or obstore's own errors, where the URL can't be a store."""
        parts = urlsplit(url)
        self._url = url
        self._scheme = parts.scheme
        self._folder: Path | None = None
        self._made: dict[str, ObjectStore] = {}
        self._making = threading.Lock()
        if parts.scheme in ("", "file"):
            given = Path(unquote(parts.path) if parts.scheme else url)
            self._folder = given.expanduser().resolve()
            _check_folder(self._folder)
        elif parts.scheme in _REMOTE_SCHEMES or parts.scheme == "memory":
            self.small()
        else:
            raise ConfigError(
                f"{url!r} is not a store: use s3://, az://, gs://, file:/// or the path of a folder"
            )

    def small(self, *, write: bool = False) -> ObjectStore:
        """For small operations. Only a write makes a folder that isn't there.

        Raises:
            FileNotFoundError: the folder isn't there.
        """
        return self._client("small", _LONGEST, silence=_SILENCE, write=write)

    def download(self) -> ObjectStore:
        """For reading parts.

        Raises:
            FileNotFoundError: the folder isn't there.
        """
        return self._client("download", _LONGEST, silence=_SILENCE)

    def upload(self, size_bytes: int) -> ObjectStore:
        """For writing a part of this size."""
        doubled = 1 << max(size_bytes - 1, 1 << 16).bit_length()  # so that few clients do for all
        limit = _SILENCE + timedelta(seconds=doubled / _SLOWEST_BYTES_PER_SECOND)
        return self._client(f"upload {doubled}", limit, write=True)

    def _client(
        self,
        name: str,
        limit: timedelta,
        *,
        silence: timedelta | None = None,
        write: bool = False,
    ) -> ObjectStore:
        if self._folder is not None or self._scheme == "memory":
            name = "only"
        with self._making:
            if name not in self._made:
                self._made[name] = self._make(limit, silence, write)
            return self._made[name]

    def _make(self, limit: timedelta, silence: timedelta | None, write: bool) -> ObjectStore:
        if self._folder is not None:
            if not write and not self._folder.exists():
                raise FileNotFoundError(f"{self._folder} does not exist")
            return LocalStore(prefix=self._folder, mkdir=True)
        if self._scheme == "memory":
            return from_url(self._url)
        return from_url(
            self._url,
            retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=10)},
            client_options={
                "connect_timeout": timedelta(seconds=5),
                "timeout": limit,
                "allow_http": config.store_allows_http(),
                **({"read_timeout": silence} if silence else {}),
            },
        )


def _check_folder(folder: Path) -> None:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        raise NotADirectoryError(f"{there} is not a folder")
