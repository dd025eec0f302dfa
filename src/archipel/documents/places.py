"""Where in its file something stands, in words for the terminal. Pure."""

from archipel.documents.blocks import Anchor


def place_in_words(anchor: Anchor) -> str:
    """An anchor as "page 3", "sheet Costs, A2:D2", "lines 10–14"; empty where it has no place."""
    words = [*anchor.part]
    if anchor.page:
        words.append(f"page {anchor.page}")
    elif anchor.paragraph:
        words.append(f"paragraph {anchor.paragraph}")
    if anchor.sheet:
        words.append(f"sheet {anchor.sheet}")
    if anchor.cells:
        words.append(anchor.cells)
    if anchor.slide:
        words.append(f"slide {anchor.slide}")
    if anchor.lines:
        first, last = anchor.lines
        words.append(f"line {first}" if first == last else f"lines {first}–{last}")
    return ", ".join(words)
