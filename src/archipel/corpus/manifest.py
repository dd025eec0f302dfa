"""The manifest: what a corpus holds, with a digest of every file. It is written last.

Knows nothing about how the corpus was built.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from archipel.corpus.answers import Answers
from archipel.errors import ConfigError, IntegrityError
from archipel.files import sha256_bytes

FORMAT: Literal[1] = 1
MANIFEST = "manifest.json"
TOKENIZER = "tokenizer"
LATENTS = "latents.safetensors"
MARGIN_TOKENS = 2  # in front of a pair of answers

Split = Literal["train", "held_out"]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(gt=0)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ShardName = Annotated[str, Field(pattern=r"^(train|held_out)-\d{5,}\.tokens$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")]

_CONFIG = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_CONFIG)
class Shard:
    """One file of tokens."""

    name: ShardName
    tokens: Count
    sha256: Digest


@dataclass(frozen=True, config=_CONFIG)
class Pictures:
    """Rows are pictures of `size` × `size` pixels: first the `caption_tokens` of a caption, then
    the `values` of its picture by the linear code in the file `latents`. With `answers`, a caption
    is a question with its answer, which alone is learnt."""

    size: Positive
    caption_tokens: Positive
    values: Positive
    latents: Digest
    answers: Answers | None = None


@dataclass(frozen=True, config=_CONFIG)
class Preferences:
    """Rows are two conversations of up to `context` tokens, the last answer of the first to be
    preferred to the second's. In front of them stands by how much the model at the start, whose
    parameters have the digest `start`, prefers it; how closely to hold to that model, `beta` says.
    """

    context: Positive
    answers: Answers
    start: Digest
    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)]

    @property
    def row_tokens(self) -> int:
        """Tokens of a row."""
        return MARGIN_TOKENS + 2 * self.context


@dataclass(frozen=True, config=_CONFIG)
class Manifest:
    """What a corpus holds. `skipped` counts what is not UTF-8 or has no text. A corpus of lessons
    has rows of `row_tokens`, of which the `answers` are learnt; one of `pictures` or `preferences`
    has rows, too."""

    version: Literal[1]
    tokenizer: dict[FileName, Digest]
    vocab_size: Count
    dtype: Literal["uint16", "uint32"]
    end_of_text_id: Count
    seed: int
    documents: Count
    duplicates: Count
    skipped: Count
    text_bytes: Count
    splits: dict[Split, tuple[Shard, ...]]
    answers: Answers | None = None
    row_tokens: Positive | None = None
    pictures: Pictures | None = None
    preferences: Preferences | None = None

    @property
    def digest(self) -> str:
        """The corpus digest: SHA-256 of the canonical JSON, which is the file's bytes."""
        return sha256_bytes(self.to_json())

    @property
    def tokenizer_digest(self) -> str:
        """SHA-256 of tokenizer.json."""
        return self.tokenizer["tokenizer.json"]

    @property
    def files(self) -> dict[str, str]:
        """What is needed before any shard is read: names in the folder, and SHA-256."""
        named = {f"{TOKENIZER}/{name}": digest for name, digest in self.tokenizer.items()}
        return named | ({LATENTS: self.pictures.latents} if self.pictures else {})

    def tokens(self, split: Split) -> int:
        """Tokens of a split, its end-of-text tokens included."""
        return sum(shard.tokens for shard in self.splits.get(split, ()))

    def to_json(self) -> bytes:
        """Canonical JSON bytes."""
        return _ADAPTER.dump_json(self, indent=2, exclude_none=True) + b"\n"

    @classmethod
    def from_json(cls, data: bytes, source: str) -> "Manifest":
        """Read and check a manifest; `source` names it in the error.

        Raises:
            IntegrityError: it is truncated, altered or of another format version.
        """
        try:
            manifest = _ADAPTER.validate_json(data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the whole"
            raise IntegrityError(
                f"{source} is not a corpus manifest of version {FORMAT}: {where}: {first['msg']}. "
                "It was altered or made by another version of Archipel: build the corpus again."
            ) from error
        if "tokenizer.json" not in manifest.tokenizer:
            raise IntegrityError(f"{source} names no tokenizer.json: build the corpus again.")
        drawn = manifest.pictures
        if drawn and manifest.row_tokens != drawn.caption_tokens + drawn.values:
            raise IntegrityError(
                f"{source}: rows of {manifest.row_tokens} are not {drawn.caption_tokens} tokens "
                f"and {drawn.values} values: build the corpus again."
            )
        pairs = manifest.preferences
        if pairs and manifest.row_tokens != pairs.row_tokens:
            raise IntegrityError(
                f"{source}: rows of {manifest.row_tokens} are not two conversations of "
                f"{pairs.context} tokens: build the corpus again."
            )
        return manifest


_ADAPTER = TypeAdapter(Manifest)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the corpus in `folder`.

    Raises:
        ConfigError: there is none.
        IntegrityError: it is damaged.
    """
    path = folder / MANIFEST
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{folder} holds no finished corpus ({path.name}: {error.strerror}). "
            "Build it with `archipel corpus build`."
        ) from error
    return Manifest.from_json(data, str(path))
