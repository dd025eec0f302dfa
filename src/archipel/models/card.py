"""The model card (README.md) of a trained model: what it is, how it came to be, what to expect."""

import json
from typing import TypedDict

from archipel.models.purpose import Purpose, front_matter

_BASE = (
    "A base language model: it continues text. It was not tuned to follow instructions or to refuse"
)
_PREFERRING = (
    "A language model that learnt, from a model before it, which of two answers is better. It was "
    "not tuned to refuse"
)
_SPECIALIST = "A small language model made for one thing: {tasks}. It does not converse or refuse"


class RunFacts(TypedDict):
    """What a card says of the run. `date` is ISO 8601; the loss is in its kind's unit."""

    name: str
    size: str
    purpose: Purpose
    parameters: int
    tokens: int
    sites: int
    rounds: int
    held_out_loss: float | None
    corpus_digest: str
    date: str


def model_card(facts: RunFacts) -> str:
    """The card as Markdown with the YAML front matter that model hubs read."""
    return _card(facts, _BASE, run_table(facts, learnt="tokens", unit="nats per token"))


def preferring_card(facts: RunFacts) -> str:
    """As `model_card`, of a model that learnt from pairs of answers."""
    table = run_table(facts, learnt="tokens of pairs of answers", unit="nats per pair (DPO)")
    return _card(facts, _PREFERRING, table)


def _card(facts: RunFacts, usual: str, table: str) -> str:
    """`usual` is what the model is where it is made for no task."""
    purpose = facts["purpose"]
    tasks, languages = purpose.tasks or (), purpose.languages or ()
    return f"""---
library_name: transformers
pipeline_tag: text-generation
tags: [archipel, diloco]
model_name: {json.dumps(facts["name"], ensure_ascii=False)}
{front_matter(tasks, languages)}---

# {facts["name"]}

{_SPECIALIST.format(tasks=", ".join(tasks)) if tasks else usual}
anything, and it knows only what its corpus holds. Check what it writes before relying on it.

{table}

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained(".")
tokenizer = AutoTokenizer.from_pretrained(".")
ids = tokenizer("def ", return_tensors="pt").input_ids
print(tokenizer.decode(model.generate(ids, max_new_tokens=64)[0]))
```
"""


def adapter_card(facts: RunFacts, base: str) -> str:
    """As `model_card`, of LoRA factors beside the model `base`."""
    return f"""---
library_name: peft
tags: [archipel, diloco, lora]
model_name: {json.dumps(facts["name"], ensure_ascii=False)}
base_model: {json.dumps(base, ensure_ascii=False)}
---

# {facts["name"]}

A LoRA adapter, learnt beside `{base}`. Check what it writes before relying on it.

{run_table(facts, learnt="tokens", unit="nats")}
"""


def run_table(facts: RunFacts, *, learnt: str, unit: str) -> str:
    """The facts as a table, and what they don't say, for the cards of all kinds of model. `learnt`:
    what was trained on; `unit`: of the loss."""
    loss = facts["held_out_loss"]
    return f"""| | |
|---|---|
| Size | {facts["size"]}, {facts["parameters"]:,} parameters |
| Trained on | {facts["tokens"]:,} {learnt} |
| Sites | {facts["sites"]} |
| Rounds | {facts["rounds"]:,} |
| Held-out loss | {"not measured" if loss is None else f"{loss:.4f} {unit}"} |
| Corpus digest | `{facts["corpus_digest"]}` |
| Date | {facts["date"]} |

Its licence depends on that of the corpus: whoever publishes the model states it here. No other
evaluation than the held-out loss is part of this card."""
