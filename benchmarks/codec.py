"""The codecs on pseudo-gradients of real training: speed, size and error.

Speeds are megabytes of fp32 parameters, encoded and decoded, per second of one thread's CPU time:
what one core gives, whatever else the machine does.
"""

import sysconfig
import tempfile
import time
import zlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from archipel.corpus import BuildOptions, TokenReader, build_corpus, read_manifest
from archipel.models.checkpoint import new_model
from archipel.models.sizes import model_config
from archipel.train.codec import Codec, codec_named
from archipel.train.fragments import Vector

_SEQUENCES, _TOKENS = 4, 128
_CODECS = ("none", "int8", "int4", "sparse")


def run(quick: bool) -> dict[str, float | int]:
    """Train a model, and put the pseudo-gradients of its last rounds through every codec."""
    sync_steps, rounds, turns = (10, 2, 5) if quick else (30, 4, 15)
    torch.set_num_threads(1)
    vectors = _pseudo_gradients(sync_steps, rounds)
    figures: dict[str, float | int] = {
        "values": len(vectors[-1]),
        "sync_steps": sync_steps,
        "rounds": rounds,
    }
    for name in _CODECS:
        figures.update(_measure(codec_named(name), vectors, turns))
    return figures | _entropy_coding(vectors[-1], turns)


def _pseudo_gradients(sync_steps: int, rounds: int) -> list[Vector]:
    """What a lone site's parameters move by in each round: AdamW on the standard library's text."""
    library = Path(sysconfig.get_path("stdlib"))
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        inputs = [library / name for name in ("asyncio", "email", "json", "http", "unittest")]
        build_corpus(inputs, corpus, BuildOptions(vocab_size=4096))
        manifest = read_manifest(corpus)
        reader = TokenReader(corpus, manifest, "train")
        config = model_config(
            "nano",
            vocab_size=manifest.vocab_size,
            context=_TOKENS,
            end_of_text_id=manifest.end_of_text_id,
        )
        model = new_model(config, 0).train()
        optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95))
        states = [_flat(model)]
        for step in range(rounds * sync_steps):
            _step(model, optimiser, reader, step)
            if (step + 1) % sync_steps == 0:
                states.append(_flat(model))
    return [before - after for before, after in pairwise(states)]


def _step(
    model: PreTrainedModel, optimiser: torch.optim.Optimizer, reader: TokenReader, step: int
) -> None:
    start = step * _SEQUENCES * _TOKENS % (reader.tokens - _SEQUENCES * _TOKENS - 1)
    flat = torch.from_numpy(reader.read(start, _SEQUENCES * _TOKENS + 1))
    logits = model(input_ids=flat[:-1].view(_SEQUENCES, _TOKENS), use_cache=False).logits
    cross_entropy(logits.flatten(0, 1), flat[1:]).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for group in optimiser.param_groups:
        group["lr"] = 1e-3 * min(1.0, (step + 1) / 20)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)


def _flat(model: PreTrainedModel) -> Vector:
    return np.concatenate([p.detach().numpy().reshape(-1) for p in model.parameters()])


def _measure(codec: Codec, vectors: list[Vector], turns: int) -> dict[str, float]:
    """Medians over turns; the error of one vector, and of the sum of all with error feedback."""
    values = vectors[-1]
    payload = codec.encode(values)
    encoding = _seconds(lambda: codec.encode(values), turns)
    decoding = _seconds(lambda: codec.decode(payload, len(values)), turns)
    commit, _ = codec.combine([(1, payload)] * 3, None, len(values))
    applying = _seconds(lambda: codec.decode_commit(commit, len(values)), turns)
    megabytes = 4 * len(values) / 1e6
    return {
        f"{codec.name}_megabytes_per_second": round(megabytes / (encoding + decoding), 1),
        f"{codec.name}_encode_megabytes_per_second": round(megabytes / encoding, 1),
        f"{codec.name}_decode_megabytes_per_second": round(megabytes / decoding, 1),
        f"{codec.name}_commit_of_three_megabytes_per_second": round(megabytes / applying, 1),
        f"{codec.name}_bits_per_parameter": round(8 * len(payload) / len(values), 4),
        f"{codec.name}_bits_per_parameter_of_a_commit_of_three": round(
            8 * len(commit) / len(values), 4
        ),
        f"{codec.name}_relative_error": round(
            _norm(codec.decode(payload, len(values)) - values) / _norm(values), 5
        ),
        f"{codec.name}_relative_error_of_the_sum": round(_error_of_sum(codec, vectors), 5),
    }


def _error_of_sum(codec: Codec, vectors: list[Vector]) -> float:
    """How far what was sent over all rounds, with error feedback, is from what was meant."""
    left, sent = np.zeros_like(vectors[0]), np.zeros_like(vectors[0])
    for values in vectors:
        update = values + left
        decoded = codec.decode(codec.encode(update), len(update))
        left = np.float32(codec.feedback_decay) * (update - decoded)
        sent += decoded
    meant = np.sum(vectors, axis=0)
    return _norm(sent - meant) / _norm(meant)


def _entropy_coding(values: Vector, turns: int) -> dict[str, float]:
    """int4's codes before the Huffman code, with it, and with DEFLATE's string matching."""
    coded = codec_named("int4").encode(values)
    plain = zlib.decompress(coded, -15)

    def deflate(level: int, strategy: int) -> bytes:
        coder = zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy)
        return coder.compress(plain) + coder.flush()

    ways = {
        "huffman": (1, zlib.Z_HUFFMAN_ONLY),
        "deflate_1": (1, zlib.Z_DEFAULT_STRATEGY),
        "deflate_6": (6, zlib.Z_DEFAULT_STRATEGY),
    }
    figures = {"int4_bits_before_entropy_coding": round(8 * len(plain) / len(values), 4)}
    for name, (level, strategy) in ways.items():
        payload = deflate(level, strategy)
        coding = _seconds(lambda: deflate(level, strategy), turns)  # noqa: B023 (called at once)
        decoding = _seconds(lambda: zlib.decompress(payload, -15), turns)  # noqa: B023
        figures |= {
            f"int4_saved_by_{name}": round(1 - len(payload) / len(plain), 4),
            f"int4_{name}_nanoseconds_per_parameter": round(
                1e9 * (coding + decoding) / len(values), 2
            ),
        }
    return figures


def _seconds(what: Callable[[], object], turns: int) -> float:
    """The median CPU time of a call."""
    taken = []
    for _ in range(turns):
        began = time.thread_time()
        what()
        taken.append(time.thread_time() - began)
    return median(taken)


def _norm(values: Vector) -> float:
    return float(np.linalg.norm(values.astype(np.float64)))
