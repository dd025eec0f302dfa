"""A small picture."""

from io import BytesIO

from PIL import Image, ImageDraw


def picture(colour: str) -> BytesIO:
    """A PNG: a dot on a coloured ground."""
    image = Image.new("RGB", (96, 64), colour)
    ImageDraw.Draw(image).ellipse((30, 14, 66, 50), fill="white")
    written = BytesIO()
    image.save(written, "PNG")
    written.seek(0)
    return written
