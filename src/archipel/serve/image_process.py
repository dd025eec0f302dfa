"""A model of pictures, served in a process of its own."""

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path

from archipel.errors import ConfigError, ModelError
from archipel.images.painter import open_painter
from archipel.images.signing import Signer, open_signer
from archipel.serve.child import begin
from archipel.serve.image_server import serve


def main() -> None:
    """Serve one model until standard input ends."""
    settings, say = begin()
    try:
        signer = _signer(settings["provenance"])
        painter = open_painter(Path(settings["path"]), settings["threads"])
    except (ConfigError, ModelError) as error:
        say({"unfit": str(error)})
        return
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(settings, painter, say, signer))


def _signer(files: Mapping[str, str] | None) -> Signer | None:
    return open_signer(Path(files["certificate_file"]), Path(files["key_file"])) if files else None


if __name__ == "__main__":
    main()
