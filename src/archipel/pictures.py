"""A picture that was decoded, as what looks at it wants it. Knows nothing about files."""

import numpy as np
from PIL import Image


def on_white(picture: Image.Image) -> Image.Image:
    """It in RGB; white where it is transparent."""
    if picture.mode.startswith("I"):  # 16 bits of grey
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    shown = picture.convert("RGBA")
    white = Image.new("RGBA", shown.size, "white")
    return Image.alpha_composite(white, shown).convert("RGB")
