"""Text → tokenizer → token shards → tokens by their place. Knows nothing about models."""

from archipel.corpus.build import BuildOptions, Progress, build_corpus
from archipel.corpus.manifest import Manifest, Pictures, Preferences, Shard, Split, read_manifest
from archipel.corpus.read import TokenReader
from archipel.corpus.remote import fetch_from, open_remote, upload_corpus

__all__ = [
    "BuildOptions",
    "Manifest",
    "Pictures",
    "Preferences",
    "Progress",
    "Shard",
    "Split",
    "TokenReader",
    "build_corpus",
    "fetch_from",
    "open_remote",
    "read_manifest",
    "upload_corpus",
]
