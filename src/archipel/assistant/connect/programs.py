"""Programs and programming languages that ask the service. Pure."""

import json
import shlex

from archipel.assistant.connect.snippets import Reached, Snippet

_QUESTION = "Say hello."


def claude_code(reached: Reached) -> list[Snippet]:
    """Claude Code, which adds /v1/messages to the address."""
    env = {
        "ANTHROPIC_BASE_URL": reached.root,
        "ANTHROPIC_AUTH_TOKEN": reached.key,
        "ANTHROPIC_MODEL": reached.chat,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": reached.chat,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    text = json.dumps({"env": env}, indent=2, ensure_ascii=False) + "\n"
    return [Snippet("~/.claude/settings.json", "json", text)]


def python(reached: Reached) -> list[Snippet]:
    """OpenAI's package for Python."""
    api, key, model, question = (
        json.dumps(one, ensure_ascii=False)
        for one in (reached.api, reached.key, reached.chat, _QUESTION)
    )
    text = f"""from openai import OpenAI

client = OpenAI(base_url={api}, api_key={key})
answer = client.chat.completions.create(
    model={model},
    messages=[{{"role": "user", "content": {question}}}],
)
print(answer.choices[0].message.content)
"""
    return [Snippet("", "python", text)]


def curl(reached: Reached) -> list[Snippet]:
    """A question from the command line."""
    body = {"model": reached.chat, "messages": [{"role": "user", "content": _QUESTION}]}
    words = [shlex.quote(f"{reached.api}/chat/completions")]
    if reached.wants_key:
        words.append("-H " + shlex.quote(f"Authorization: Bearer {reached.key}"))
    words += [
        "-H 'Content-Type: application/json'",
        "-d " + shlex.quote(json.dumps(body, ensure_ascii=False)),
    ]
    return [Snippet("", "bash", "curl " + " \\\n  ".join(words) + "\n")]
