"""Where a login may lead back to: this host, and nothing elsewhere. Pure.

Browsers give a host's cookies to all its ports, so that a page on another port of it, such as the
assistant's, learns nothing by this that it does not have.
"""

import re
from urllib.parse import urlsplit

_CHARACTERS = 2000
_SAFE = re.compile(r"[!-\[\]-~]+")  # printable, without spaces and backslashes
_AUTHORITY = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?")


def way_back(wanted: str, origin: str) -> str | None:
    """The path or URL that is wanted, if a login at `origin` (http://HOST:PORT) may lead there: a
    path, or a URL with the same scheme and host name on any port."""
    if len(wanted) > _CHARACTERS or not _SAFE.fullmatch(wanted):
        return None
    if wanted.startswith("/"):
        return None if wanted.startswith("//") else wanted
    return wanted if origin_of(wanted) and _host(wanted) == _host(origin) else None


def origin_of(wanted: str) -> str | None:
    """The origin of a URL; None if it is a path, or not an http URL."""
    scheme, _, rest = wanted.partition("://")
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    if scheme not in ("http", "https") or not _AUTHORITY.fullmatch(authority):
        return None
    return f"{scheme}://{authority}"


def _host(url: str) -> tuple[str, str | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname
