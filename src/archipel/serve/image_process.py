"""A model of pictures, served in a process of its own."""

import asyncio
import contextlib
from pathlib import Path

from archipel.errors import ModelError
from archipel.images.painter import open_painter
from archipel.serve.child import begin
from archipel.serve.image_server import serve


def main() -> None:
    """Serve one model until standard input ends."""
    settings, say = begin()
    try:
        painter = open_painter(Path(settings["path"]), settings["threads"])
    except ModelError as error:
        say({"unfit": str(error)})
        return
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(settings, painter, say))


if __name__ == "__main__":
    main()
