"""Creating a run: spec, corpus and initial parameters, put where every site finds them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from transformers import PreTrainedModel

from archipel import config
from archipel.corpus import Manifest, read_manifest
from archipel.corpus.remote import upload_corpus
from archipel.errors import ConfigError
from archipel.ledger import InnerSpec, Ledger, LoraSpec, OuterSpec, RunSpec
from archipel.ledger.cover import UNIT_STEPS
from archipel.ledger.invite import create_as_owner
from archipel.ledger.keyring import Keyring
from archipel.ledger.packed import pack
from archipel.ledger.schema import PackedFile
from archipel.ledger.tempo import SNAPSHOT_CYCLES
from archipel.models.digest import digest_of_all
from archipel.store import Store
from archipel.train.codec import codec_named
from archipel.train.factors import base_bytes, put_factors
from archipel.train.fragments import split
from archipel.train.kinds import Kind, kind_for
from archipel.train.state import GlobalState
from archipel.tune.lora import FURTHER_FOR_LORA, Lora
from archipel.tune.losses import GENTLER_BY_PREFERENCE

_FEW_STEPS = 8
_FURTHER = 0.1  # of the usual rate, for a model that has learnt before
_TOKENS_PER_PARAMETER = 20  # compute-optimal, Hoffmann et al. (arXiv 2203.15556)


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What `archipel run create` asks for."""

    model: str = "nano"
    tokens: int | None = None  # the budget; None: 20 per parameter
    seed: int = 0
    fragments: int = 4
    sync_steps: int | None = None  # H: inner steps between two syncs of a fragment; None: auto
    optimiser: Literal["adamw", "muon"] | None = None  # None: the usual one of the kind of model
    batch_sequences: int = 8
    sequence_tokens: int | None = None  # None: the model's context
    learning_rate: float | None = None  # None: by the model's width and what it learns
    warmup_share: float = 0.05  # of the budget
    outer_learning_rate: float | None = None  # None: by codec and H
    outer_momentum: float | None = None  # likewise
    codec: str = "int4"
    unit_steps: int = UNIT_STEPS
    heartbeat_seconds: float = 2.0
    dead_after_seconds: float = 15.0
    snapshot_every_cycles: int | None = None  # None: by the codec
    keep_history: bool = False
    lora: Lora | None = None  # learn factors beside a model that stays as it is


def create_run(store: Store, corpus: Path, options: RunOptions) -> Ledger:
    """Make a run under the store's URL. Interrupted, the same call goes on where it was.

    Raises:
        ConfigError: an option can't be used, or the corpus is too small for it.
        RunError: the URL holds a run with another spec.
        StoreError: the store can't be written.
    """
    manifest = read_manifest(corpus)
    kind = kind_for(options.model, manifest)
    context = options.sequence_tokens or manifest.row_tokens
    model = kind.first_model(options.model, manifest, corpus, context, options.seed)
    tensors, base = _parameters(model), None
    digest = digest_of_all(tensors)
    _check_start(manifest, digest, options.model)
    if options.lora:
        _check_lora(kind, options.model)
        base = pack(base_bytes(model))
        put_factors(model, options.lora, options.seed)
        tensors = _parameters(model)
        digest = digest_of_all(tensors)
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    fragments = split(shapes, options.fragments)
    start = _Start(manifest, model, kind, digest, base.file if base else None)
    ledger = create_as_owner(
        store, Keyring(config.keys_folder()), lambda owner: _spec(start, options, owner)
    )
    if ledger.snapshot(0) is None:
        upload_corpus(store, corpus)
        if base:
            ledger.put_base(base)
        state = GlobalState(ledger.spec, fragments, tensors)
        ledger.put_snapshot(0, state.snapshot_files(), final=False, **state.snapshot_facts())
    return ledger


@dataclass(frozen=True)
class _Start:
    """What a run begins with; `base`: what it leaves as it is, where it learns factors."""

    manifest: Manifest
    model: PreTrainedModel
    kind: Kind
    digest: str
    base: PackedFile | None


def _parameters(model: PreTrainedModel) -> dict[str, np.ndarray]:
    return {name: p.detach().numpy() for name, p in model.named_parameters()}


def _check_lora(kind: Kind, name: str) -> None:
    if not kind.has_lora:
        raise ConfigError("--lora is for models of texts: learn this one whole")
    if not kind.learns_further(name):
        raise ConfigError(
            f"--lora leaves the model as it is, and {name} has learnt nothing yet: give --model a "
            "checkpoint's folder, a .gguf or a pulled model's name"
        )


def _check_start(manifest: Manifest, initial_digest: str, name: str) -> None:
    """Whether the run begins with the model from which the corpus's preferences are measured."""
    preferences = manifest.preferences
    if preferences and preferences.start != initial_digest:
        raise ConfigError(
            "the corpus's preferences are measured from another model than "
            f"{name} (the digest of its parameters is {initial_digest[:12]}, that of the corpus's "
            f"start {preferences.start[:12]}): give that one as --model, or build the corpus again "
            "with the model that is to learn, archipel corpus lessons --preferences --model MODEL"
        )


def _outer(options: RunOptions) -> OuterSpec:
    """The outer optimiser as asked for, or else as it did best (docs/decisions/0006): plain
    averaging where syncs are frequent or `sparse`'s error feedback takes momentum's place, else a
    little momentum."""
    steps = options.sync_steps
    plain = options.codec == "sparse" or steps is None or steps < _FEW_STEPS
    rate, momentum = (1.0, 0.0) if plain else (0.7, 0.5)
    return OuterSpec(
        learning_rate=options.outer_learning_rate or rate,
        momentum=momentum if options.outer_momentum is None else options.outer_momentum,
    )


def _spec(start: _Start, options: RunOptions, owner: str) -> RunSpec:
    manifest, model = start.manifest, start.model
    sequence = options.sequence_tokens or manifest.row_tokens
    sequence = sequence or int(model.config.max_position_embeddings)
    if manifest.row_tokens not in (None, sequence):
        raise ConfigError(
            f"the corpus has rows of {manifest.row_tokens} tokens, and the run "
            f"would read sequences of {sequence}: give --sequence {manifest.row_tokens}"
        )
    batch = options.batch_sequences * sequence
    learnt = sum(parameter.numel() for parameter in model.parameters())
    budget = options.tokens or _TOKENS_PER_PARAMETER * learnt
    budget = -(-budget // batch) * batch
    unit = min(_unit_steps(manifest, options.unit_steps, batch) * batch, budget)
    epoch_units = (manifest.tokens("train") - 1) // unit
    if epoch_units < 1:
        raise ConfigError(
            f"the corpus has {manifest.tokens('train'):,} tokens to train on, fewer than one unit "
            f"of {unit:,}: build a larger corpus, or lower --batch or --sequence"
        )
    codec_named(options.codec)
    return RunSpec(
        owner=owner,
        model=_plain(model),
        lora=_lora(start, options),
        fragments=options.fragments,
        sync_steps=options.sync_steps,
        inner=InnerSpec(
            optimiser=options.optimiser or ("adamw" if options.lora else start.kind.optimiser),
            learning_rate=options.learning_rate or _rate(start, options),
            warmup_tokens=int(options.warmup_share * budget),
            batch_sequences=options.batch_sequences,
            sequence_tokens=sequence,
        ),
        outer=_outer(options),
        codec=options.codec,
        budget_tokens=budget,
        unit_tokens=unit,
        initial_digest=start.digest,
        corpus_digest=manifest.digest,
        tokenizer_digest=manifest.tokenizer_digest,
        epoch_units=epoch_units,
        seed=options.seed,
        heartbeat_seconds=options.heartbeat_seconds,
        dead_after_seconds=options.dead_after_seconds,
        snapshot_every_cycles=options.snapshot_every_cycles or SNAPSHOT_CYCLES[options.codec],
        keep_history=options.keep_history,
    )


def _unit_steps(manifest: Manifest, most: int, batch_tokens: int) -> int:
    """How many steps' data a site claims at once. An epoch is of whole units, and what is left over
    is learnt in none: pairs of answers are few, so that their units are of a length that leaves
    fewer steps over than there are units."""
    steps = (manifest.tokens("train") - 1) // batch_tokens
    if not manifest.preferences or not steps:
        return most
    return steps // -(-steps // most)


def _rate(start: _Start, options: RunOptions) -> float:
    """The narrower, the faster; more gently what has learnt before, as `archipel finetune` does."""
    rate: float = 1 / start.model.config.get_text_config().hidden_size
    rate *= _FURTHER if start.kind.learns_further(options.model) else 1
    rate *= FURTHER_FOR_LORA if options.lora else 1
    return rate / (GENTLER_BY_PREFERENCE if start.manifest.preferences else 1)


def _lora(start: _Start, options: RunOptions) -> LoraSpec | None:
    lora = options.lora
    if lora is None or start.base is None:
        return None
    name = Path(options.model).name
    return LoraSpec(rank=lora.rank, alpha=lora.alpha, base=start.base, base_name=name)


def _plain(model: PreTrainedModel) -> dict[str, object]:
    """The configuration as JSON, without what depends on this machine."""
    config = model.config.to_diff_dict()
    for key in ("transformers_version", "_name_or_path", "architectures", "dtype"):
        config.pop(key, None)
    return {**config, "model_type": model.config.model_type}
