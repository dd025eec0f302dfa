"""A picture as a file that says how it was made: by which model, from which seed, from words with
which digest. The words themselves are not in it.

A PNG says so in texts of its own; a JPEG and a WebP, which have none, in an XMP packet.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args
from xml.sax.saxutils import escape

from PIL.Image import Image
from PIL.PngImagePlugin import PngInfo

from archipel import __version__
from archipel.files import sha256_bytes

Format = Literal["png", "jpeg", "webp"]
FORMATS: tuple[Format, ...] = get_args(Format)
_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:archipel="urn:archipel:picture#">
{facts}
</rdf:Description>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""


@dataclass(frozen=True)
class Facts:
    """How a picture was made."""

    model: str
    seed: int
    prompt: str

    @property
    def texts(self) -> dict[str, str]:
        """`Software`, `Model`, `Seed` and, hexadecimal, `Prompt-SHA256`."""
        return {
            "Software": f"Archipel {__version__}",
            "Model": self.model,
            "Seed": str(self.seed),
            "Prompt-SHA256": sha256_bytes(self.prompt.encode()),
        }


@dataclass(frozen=True)
class Coding:
    """As what a picture is written; `quality`, 0 to 100, is how much a JPEG or a WebP keeps."""

    format: Format = "png"
    quality: int = 100


@dataclass(frozen=True)
class PictureFile:
    """A file's bytes, and what they are."""

    data: bytes
    media_type: str


def as_file(image: Image, facts: Facts, coding: Coding) -> PictureFile:
    """The picture, in RGB, as a file with the texts of its facts in it."""
    file = io.BytesIO()
    image.save(file, coding.format, **_options(facts.texts, coding))
    return PictureFile(file.getvalue(), f"image/{coding.format}")


def _options(texts: Mapping[str, str], coding: Coding) -> dict[str, Any]:
    """For Pillow."""
    if coding.format != "png":
        return {"quality": coding.quality, "xmp": _packet(texts)}
    said = PngInfo()
    for name, text in texts.items():
        said.add_text(name, text)
    return {"pnginfo": said}


def _packet(texts: Mapping[str, str]) -> bytes:
    """XMP has a word of its own for the software."""
    named = {
        ("xmp:CreatorTool" if name == "Software" else f"archipel:{name}"): text
        for name, text in texts.items()
    }
    facts = "\n".join(f"<{name}>{escape(text)}</{name}>" for name, text in named.items())
    return _XMP.format(facts=facts).encode()
