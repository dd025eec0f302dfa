"""The model card (README.md) of a model of pictures: what it is, how it came to be."""

import json

from archipel.models.card import RunFacts


def picture_card(facts: RunFacts) -> str:
    """The card as Markdown with the YAML front matter that model hubs read."""
    loss = facts["held_out_loss"]
    return f"""---
library_name: archipel
pipeline_tag: text-to-image
tags: [archipel, diloco]
model_name: {json.dumps(facts["name"], ensure_ascii=False)}
---

# {facts["name"]}

A small model that makes small pictures of a few words. It knows what its corpus holds and little
else: it puts together what it has seen, and does not compose scenes. Of the words, it does not hear
the order.

| | |
|---|---|
| Size | {facts["parameters"]:,} parameters |
| Trained on | {facts["tokens"]:,} tokens of captions and pictures |
| Sites | {facts["sites"]} |
| Rounds | {facts["rounds"]:,} |
| Held-out loss | {"not measured" if loss is None else f"{loss:.4f} (mean squared velocity)"} |
| Corpus digest | `{facts["corpus_digest"]}` |
| Date | {facts["date"]} |

Its licence depends on that of the corpus: whoever publishes the model states it here. No other
evaluation than the held-out loss is part of this card.

```sh
archipel image "a blue cat" -m . -o pictures
```
"""
