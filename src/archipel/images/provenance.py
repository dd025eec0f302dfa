"""A picture as a file that says how it was made: by which model, from which seed, from words with
which digest. The words themselves are not in it."""

import io

from PIL.Image import Image
from PIL.PngImagePlugin import PngInfo

from archipel import __version__
from archipel.files import sha256_bytes


def as_png(image: Image, *, model: str, seed: int, prompt: str) -> bytes:
    """A PNG with the texts `Software`, `Model`, `Seed` and, hexadecimal, `Prompt-SHA256`."""
    said = PngInfo()
    said.add_text("Software", f"Archipel {__version__}")
    said.add_text("Model", model)
    said.add_text("Seed", str(seed))
    said.add_text("Prompt-SHA256", sha256_bytes(prompt.encode()))
    file = io.BytesIO()
    image.save(file, "PNG", pnginfo=said)
    return file.getvalue()
