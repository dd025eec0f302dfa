"""What the head of a WebP says, read without a decoder: it makes room for all that it says."""


def is_webp(data: bytes) -> bool:
    """Whether it begins as one, and not as another RIFF, which may be a sound."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def webp_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels; None: it is none, or of another kind."""
    if not is_webp(data) or len(data) < 30:
        return None
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = data[26:28], data[28:30]
        mask = 0x3FFF
        return int.from_bytes(width, "little") & mask, int.from_bytes(height, "little") & mask
    return None
