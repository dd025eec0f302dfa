"""How a conversation is written: a token for each role, and the tokenizer that has them."""

import json
from collections.abc import Sequence

from archipel.corpus.tokenizer import END_OF_TEXT, train_tokenizer

ROLES = ("<|system|>", "<|user|>", "<|assistant|>")  # the last begins an answer
TURN_BEGIN, TURN_END = "<|im_start|>", "<|im_end|>"
IMAGE = "<image>"  # stands for a picture, as transformers' Llava has it
_TEMPLATE = (
    "{%% for message in messages %%}"
    "{{ '<|' + message['role'] + '|>' }}%s"
    "{%% if message['role'] == 'assistant' %%}{{ '<|im_end|>' }}{%% endif %%}"
    "{%% endfor %%}"
    "{%% if add_generation_prompt %%}{{ '<|assistant|>' }}{%% endif %%}"
)
ROLE_TEMPLATE = _TEMPLATE % "{{ message['content'] }}"
PICTURE_TEMPLATE = _TEMPLATE % (
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{{ '<image>' if part['type'] == 'image' else part['text'] }}"
    "{% endfor %}{% endif %}"
)


def role_tokenizer(
    said: Sequence[str], vocab_size: int, *, pictures: bool = False
) -> dict[str, bytes]:
    """The files of a tokenizer that is trained on what is said, with a token for each role and,
    where there are `pictures`, one that stands for a picture. A text begins, when it is measured,
    with the token that it has before it in a row."""
    files = train_tokenizer(said, vocab_size, (*ROLES, IMAGE) if pictures else ROLES)
    settings = json.loads(files["tokenizer_config.json"])
    settings |= {"chat_template": PICTURE_TEMPLATE if pictures else ROLE_TEMPLATE}
    settings |= {"pad_token": END_OF_TEXT, "bos_token": TURN_END, "eos_token": TURN_END}
    files["tokenizer_config.json"] = (json.dumps(settings, indent=2) + "\n").encode()
    return files
