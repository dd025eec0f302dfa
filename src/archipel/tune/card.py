"""The model card (README.md) of a tuned model or adapter."""

import json
from collections.abc import Sequence
from typing import TypedDict

from archipel.models.purpose import front_matter


class TunedFacts(TypedDict):
    """What a card says. Losses are in nats, before and after the last epoch, if measured."""

    name: str
    base: str
    kind: str  # what was learnt, in words
    tasks: Sequence[str]  # that it is made for
    languages: Sequence[str]
    items: int
    epochs: int
    tokens: int
    trained: int
    before: float | None
    after: float | None
    template: str  # whose, in words
    is_adapter: bool
    date: str


def tuned_card(facts: TunedFacts) -> str:
    """The card as Markdown with the YAML front matter that model hubs read."""
    before, after = (
        "not measured" if loss is None else f"{loss:.4f}"
        for loss in (facts["before"], facts["after"])
    )
    name = json.dumps(facts["name"], ensure_ascii=False)
    library = "peft" if facts["is_adapter"] else "transformers"
    made_for = front_matter(facts["tasks"], facts["languages"])
    what = "A LoRA adapter" if facts["is_adapter"] else "A language model"
    return f"""---
library_name: {library}
pipeline_tag: text-generation
tags: [archipel]
model_name: {name}
base_model: {json.dumps(facts["base"], ensure_ascii=False)}
{made_for}---

# {facts["name"]}

{what}, tuned from `{facts["base"]}` on {facts["kind"]}. Check what it writes before relying on it.

| | |
|---|---|
| Learnt from | {facts["items"]:,} lessons, {facts["epochs"]} times; {facts["tokens"]:,} tokens |
| Parameters trained | {facts["trained"]:,} |
| Held-out loss before | {before} |
| Held-out loss after | {after} |
| Chat template | {facts["template"]} |
| Date | {facts["date"]} |

Its licence depends on those of the base model and of what it learnt from: whoever publishes it
states it here. No other evaluation than the held-out loss is part of this card.
"""
