"""The model cards (README.md) of models of pictures: what they are, how they came to be."""

import json

from archipel.models.card import RunFacts, run_table


def picture_card(facts: RunFacts) -> str:
    """The card as Markdown with the YAML front matter that model hubs read."""
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

{run_table(facts, learnt="tokens of captions and pictures", unit="mean squared velocity")}

```sh
archipel image "a blue cat" -m . -o pictures
```
"""


def seeing_card(facts: RunFacts) -> str:
    """As `picture_card`, of a model that sees."""
    return f"""---
library_name: transformers
pipeline_tag: image-text-to-text
tags: [archipel, diloco, llava]
model_name: {json.dumps(facts["name"], ensure_ascii=False)}
---

# {facts["name"]}

A small model that answers questions about a small picture, as it has learnt to answer them. It
knows the things that its corpus shows and takes all else for one of them; it does not converse or
refuse. Check what it says before relying on it.

{run_table(facts, learnt="tokens of pictures and words", unit="nats per token of answers")}

```python
from PIL import Image
from transformers import AutoProcessor, LlavaForConditionalGeneration

model = LlavaForConditionalGeneration.from_pretrained(".")
processor = AutoProcessor.from_pretrained(".")
prompt = "<|user|><image>What is this?<|assistant|>"
inputs = processor(images=Image.open("cat.png").convert("RGB"), text=prompt, return_tensors="pt")
ids = model.generate(**inputs, max_new_tokens=24)[0, inputs.input_ids.shape[1] :]
print(processor.decode(ids, skip_special_tokens=True))
```
"""
