"""The losses are those of each conversation alone, however rows are padded and parted."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy, logsigmoid
from transformers import (
    AutoModelForCausalLM,
    CohereConfig,
    Gemma2Config,
    GPT2Config,
    LlamaConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from archipel.corpus.left_out import LeftOut
from archipel.tune.encoding import Example, Item, encode
from archipel.tune.lessons import Lesson
from archipel.tune.losses import AnswerLoss, Likelihood, PreferenceLoss
from tests.tune.conftest import FACTS, chat

_SIZES: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "pad_token_id": None,
}
_KINDS: dict[str, Callable[[], PreTrainedConfig]] = {
    "llama": lambda: LlamaConfig(**_SIZES),
    "scaled": lambda: CohereConfig(**_SIZES, logit_scale=0.3),
    "bent": lambda: Gemma2Config(**_SIZES, final_logit_softcapping=0.1),
    "gpt2": lambda: GPT2Config(vocab_size=320, n_embd=32, n_layer=2, n_head=2, n_positions=128),
}


def _model(kind: str) -> PreTrainedModel:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(_KINDS[kind]())
    assert isinstance(model, PreTrainedModel)
    for parameter in model.parameters():  # so that logits differ
        parameter.data.add_(0.1 * torch.randn(parameter.shape))
    return model.eval()


@pytest.fixture
def items(tokenizer: PreTrainedTokenizerBase) -> list[Item]:
    lessons = [Lesson("here", asked, (chat(asked, said),)) for asked, said in FACTS.items()]
    return encode(lessons, tokenizer, LeftOut(), most_tokens=128)


def _alone(model: PreTrainedModel, example: Example) -> torch.Tensor:
    """The log-probability of each learnt token, by the plain forward pass of one conversation."""
    ids = torch.from_numpy(example.ids).long()
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(input_ids=ids[None, :-1]).logits[0].float()
    return -cross_entropy(logits, ids[1:], reduction="none")[torch.from_numpy(example.learnt[1:])]


@pytest.mark.parametrize("kind", _KINDS)
def test_padding_and_the_short_way_change_nothing(kind: str, items: list[Item]) -> None:
    model = _model(kind)
    alone = torch.cat([_alone(model, one) for item in items for one in item.examples])
    for most_tokens in (1, 4096):
        loss = AnswerLoss(Likelihood(model), most_tokens)
        assert loss.measure(items) == pytest.approx(-float(alone.detach().mean()), rel=3e-3)


def test_no_row_is_longer_than_the_model_reads(items: list[Item]) -> None:
    longest = max(item.tokens for item in items) - 1
    config = GPT2Config(vocab_size=320, n_embd=32, n_layer=2, n_head=2, n_positions=longest)
    model = AutoModelForCausalLM.from_config(config).eval()
    alone = torch.cat([_alone(model, one) for item in items for one in item.examples])
    measured = AnswerLoss(Likelihood(model), 4096).measure(items)
    assert measured == pytest.approx(-float(alone.detach().mean()), rel=3e-3)


def test_gradients_add_up_over_parts_of_a_step(items: list[Item]) -> None:
    model = _model("llama")
    found = []
    for most_tokens in (1, 4096):
        model.zero_grad()
        AnswerLoss(Likelihood(model), most_tokens).learn(items)
        found.append(
            torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
        )
    assert torch.cosine_similarity(*found, dim=0) > 0.999
    assert found[0].norm() == pytest.approx(float(found[1].norm()), rel=1e-2)


def test_preference_is_measured_from_the_start(tokenizer: PreTrainedTokenizerBase) -> None:
    both = [
        (chat(asked, said), chat(asked, other))
        for (asked, said), other in zip(FACTS.items(), reversed(FACTS.values()), strict=True)
    ]
    lessons = [Lesson("here", "key", pair) for pair in both]
    items = encode(lessons, tokenizer, LeftOut(), most_tokens=128)
    model = _model("llama")
    loss = PreferenceLoss(Likelihood(model), 4096, beta=0.5, items=items)
    assert loss.measure(items) == pytest.approx(0.6931, abs=1e-3)  # log 2: it prefers neither

    def margins() -> torch.Tensor:
        with torch.no_grad():
            sums = [[_alone(model, one).sum() for one in item.examples] for item in items]
        return torch.tensor([float(chosen - rejected) for chosen, rejected in sums])

    before = margins()
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(5):
        losses.append(loss.learn(items))
        optimiser.step()
        optimiser.zero_grad()
    expected = -logsigmoid(0.5 * (margins() - before)).mean()
    assert loss.measure(items) == pytest.approx(float(expected), rel=2e-2)
    assert losses[-1] < losses[0]
