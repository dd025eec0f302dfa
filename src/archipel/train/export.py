"""A run's global parameters as files: of a model of texts, or of one that sees, a Hugging Face
checkpoint, and GGUF beside it; of one of pictures a folder as diffusers has them; with the run's
facts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import torch

from archipel import config
from archipel.corpus import TokenReader
from archipel.corpus.manifest import TOKENIZER
from archipel.corpus.remote import open_remote
from archipel.errors import ConfigError, ModelError
from archipel.ledger import Ledger
from archipel.models.card import RunFacts, adapter_card
from archipel.models.gguf_export import export_gguf
from archipel.models.gguf_mmproj import write_mmproj
from archipel.models.purpose import Purpose
from archipel.train.join import load_state
from archipel.train.kinds import kind_of, kind_of_model, run_config, run_model
from archipel.train.start import open_corpus
from archipel.train.state import GlobalState
from archipel.tune.lora import Lora

_UNSAID = Purpose()


@dataclass(frozen=True)
class Exported:
    """What was written, and how good it is."""

    folder: Path
    gguf: Path | None
    tokens: int
    held_out_loss: float | None
    unit: str  # of the loss


def export_run(
    ledger: Ledger, folder: Path, *, name: str, gguf: str | None, purpose: Purpose = _UNSAID
) -> Exported:
    """Write the run's present parameters to `folder`; with `gguf`, a file of that kind beside them,
    and of a model that sees another with its sight. Factors are worked into the model beside which
    they were learnt. The card says the `purpose`.

    Raises:
        ConfigError: `folder` exists or can't be written.
        ModelError: the model can't be written as GGUF, or its tokens would differ.
        IntegrityError: the run's record is damaged.
    """
    cache = config.home() / "cache" / "corpora"
    manifest, corpus = open_remote(ledger.store, cache, ledger.spec.corpus_digest)
    kind = kind_of(ledger.spec.model["model_type"], manifest)
    if gguf and not kind.has_gguf:
        raise ModelError(
            "there is no GGUF of models of pictures: export without --gguf, and give the folder to "
            "`archipel serve`"
        )
    state = load_state(ledger)
    loss = measure(state, open_corpus(ledger, None, "held_out"))
    tensors = _whole(state, corpus)
    facts = _facts(ledger, state, name, loss, tensors, purpose)
    kind.save(folder, run_config(ledger.spec), tensors, corpus, facts)
    path = folder / f"{name}-{gguf}.gguf" if gguf else None
    if path and gguf:
        export_gguf(folder, path, gguf)
        if kind.sees:
            write_mmproj(folder, folder / f"mmproj-{name}-f16.gguf")
    return Exported(folder, path, state.cover.tokens, loss, kind.unit)


def export_adapter(ledger: Ledger, folder: Path, *, name: str) -> Exported:
    """Write the factors that the run has learnt to `folder`, as PEFT has them, with the tokenizer.

    Raises:
        ConfigError: the run learns no factors, or `folder` exists or can't be written.
        IntegrityError: the run's record is damaged.
    """
    spec = ledger.spec
    if spec.lora is None:
        raise ConfigError(
            "this run learns a whole model and has no adapter: export it without --adapter"
        )
    from archipel.tune.adapters import Adapted, write_adapter

    held_out = open_corpus(ledger, None, "held_out")
    state = load_state(ledger)
    loss, factors = measure(state, held_out), state.tensors()
    facts = _facts(ledger, state, name, loss, factors, _UNSAID)
    model = kind_of(spec.model["model_type"]).new_model(run_config(spec), spec.seed)
    lora = Lora(spec.lora.rank, spec.lora.alpha)
    adapted = Adapted(model, lora, base=spec.lora.base_name, seed=spec.seed)
    adapted.load({each: torch.from_numpy(value) for each, value in factors.items()})
    write_adapter(
        folder, adapted, held_out.folder / TOKENIZER, adapter_card(facts, spec.lora.base_name)
    )
    return Exported(folder, None, state.cover.tokens, loss, kind_of_model(model).unit)


def _whole(state: GlobalState, corpus: Path) -> dict[str, np.ndarray]:
    """The parameters of the run's model, with what was learnt beside them worked in."""
    spec = state.spec
    if not spec.lora:
        return state.tensors()
    from archipel.train.factors import worked_in

    with torch.device("meta"):
        plain = kind_of(spec.model["model_type"]).new_model(run_config(spec), spec.seed)
    names = [name for name, _ in plain.named_parameters()]
    return worked_in(run_model(spec, corpus), state.tensors(), names)


def _facts(
    ledger: Ledger,
    state: GlobalState,
    name: str,
    loss: float | None,
    tensors: Mapping[str, np.ndarray],
    purpose: Purpose,
) -> RunFacts:
    return {
        "name": name,
        "purpose": purpose,
        "size": f"{ledger.spec.model['model_type']}",
        "parameters": sum(tensor.size for tensor in tensors.values()),
        "tokens": state.cover.tokens,
        "sites": len(ledger.site_names()),
        "rounds": sum(last // ledger.spec.fragments + 1 for last in state.applied),
        "held_out_loss": loss,
        "corpus_digest": ledger.spec.corpus_digest,
        "date": date.today().isoformat(),
    }


def measure(state: GlobalState, held_out: TokenReader) -> float | None:
    """Held-out loss of the global parameters, as their kind has it; None where nothing is held
    out."""
    sequence = state.spec.inner.sequence_tokens
    if held_out.tokens <= sequence:
        return None
    model = run_model(state.spec, held_out.folder)
    tensors = {name: torch.from_numpy(value) for name, value in state.tensors().items()}
    model.load_state_dict(tensors, strict=False)
    model.tie_weights()
    return kind_of_model(model).held_out_loss(model, held_out, sequence)
