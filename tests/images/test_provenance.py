"""Pictures as files: what each says of how it was made, and how much of it is kept."""

import io
from xml.etree import ElementTree

import pytest
from PIL import Image

from archipel.images.provenance import FORMATS, Coding, Facts, Format, as_file

_WORDS = "a secret reef"
_FACTS = Facts(model="île <&> sea", seed=7, prompt=_WORDS)


def facts_in(data: bytes) -> dict[str, str]:
    """The texts of a PNG; of others those of their XMP packet, without what names are in."""
    with Image.open(io.BytesIO(data)) as image:
        if image.format == "PNG":
            return dict(image.text)  # type: ignore[attr-defined]
        [said] = ElementTree.fromstring(image.info["xmp"]).iter(_RDF)
    return {one.tag.partition("}")[2]: one.text or "" for one in said}


_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description"


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_says_how_it_was_made_and_not_of_which_words(kind: Format) -> None:
    file = as_file(Image.new("RGB", (8, 8)), _FACTS, Coding(kind, 50))
    with Image.open(io.BytesIO(file.data)) as image:
        assert (image.get_format_mimetype(), file.media_type) == (2 * (f"image/{kind}",))
    said = facts_in(file.data)
    assert said.pop("Software" if kind == "png" else "CreatorTool").startswith("Archipel ")
    assert said == {
        "Model": "île <&> sea",
        "Seed": "7",
        "Prompt-SHA256": "0cc2e68d34b8378d27c3b30340cae4c1c4d42e0f5848df5e8c15e3cb7f69a053",
    }
    assert b"reef" not in file.data


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_of_less_quality_less_is_kept(kind: Format) -> None:
    noise = Image.effect_noise((64, 64), 90).convert("RGB")
    sizes = [len(as_file(noise, _FACTS, Coding(kind, q)).data) for q in (0, 30, 60, 100)]
    assert sizes == sorted(set(sizes))
