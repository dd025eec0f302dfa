"""Office suites: what makes their extensions ask the service. Pure."""

import json

from archipel.assistant.connect.snippets import Reached, Snippet


def onlyoffice(reached: Reached) -> list[Snippet]:
    """The AI plugin's file for a provider of one's own; the plugin adds the v1."""
    given = ", ".join(
        json.dumps(one, ensure_ascii=False) for one in ("Archipel", reached.root, reached.key, "v1")
    )
    text = f""""use strict";

class Provider extends AI.Provider {{
  constructor() {{
    super({given});
  }}
}}
"""
    return [Snippet("archipel.js", "javascript", text)]


def libreoffice(reached: Reached) -> list[Snippet]:
    """The fields of WriterAgent's and LocalWriter's settings; they add the /v1."""
    text = f"Endpoint: {reached.root}\nModel: {reached.chat}\nAPI key: {reached.key}\n"
    return [Snippet("", "text", text)]
