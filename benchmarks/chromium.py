"""The browser that pages are measured and pictured in: the whole one, as people have it."""

import shutil

from archipel.errors import ConfigError


def chromium() -> str:
    """Its path.

    Raises:
        ConfigError: it is not installed.
    """
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise ConfigError("Chromium is not here: install the package chromium")
    return path
