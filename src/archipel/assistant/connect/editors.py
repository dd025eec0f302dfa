"""Editors: what makes each complete code by the service. Pure.

Settings as their programs document them; which endpoint each asks is in docs/editors.md.
"""

import json
import shlex

import yaml  # type: ignore[import-untyped]

from archipel.assistant.connect.snippets import Reached, Snippet

_KEY_NAME = "ARCHIPEL_API_KEY"
_SET_NAME = "TERM"  # minuet wants the name of some variable that is set
_TOKENS = 64  # of a suggestion


def llama_vscode(reached: Reached) -> list[Snippet]:
    """llama.vscode, which asks /infill below the address that it is given."""
    settings = {"llama-vscode.endpoint": reached.root, "llama-vscode.api_key": reached.key}
    if reached.chat:
        settings |= {
            "llama-vscode.endpoint_chat": reached.root,
            "llama-vscode.endpoint_tools": reached.root,
            "llama-vscode.ai_api_version": "v1",
            "llama-vscode.ai_model": reached.chat,
        }
    return [Snippet("settings.json", "json", _json(settings))]


def continue_dev(reached: Reached) -> list[Snippet]:
    """Continue. As Mistral's, it sends what stands around the gap and adds no marks of its own."""
    common = {"apiBase": reached.api, "apiKey": reached.key}
    fill = {"provider": "mistral", "model": reached.fill, **common, "roles": ["autocomplete"]}
    models = [{"name": "Archipel, completion", **fill}]
    if reached.chat:
        chat = {"provider": "openai", "model": reached.chat, **common, "roles": ["chat", "edit"]}
        models.append({"name": "Archipel", **chat})
    written = {"name": "Archipel", "version": "1.0.0", "schema": "v1", "models": models}
    text = yaml.safe_dump(written, sort_keys=False, allow_unicode=True, width=1000)
    return [Snippet("~/.continue/config.yaml", "yaml", text)]


def neovim_lsp(reached: Reached) -> list[Snippet]:
    """`archipel lsp` in Neovim's own client."""
    words = ", ".join(_quoted(word) for word in _lsp(reached))
    text = f"""vim.lsp.config("archipel", {{
  cmd = {{ {words} }},
  root_markers = {{ ".git" }},
}})
vim.lsp.enable("archipel")
if vim.lsp.inline_completion then -- Neovim 0.12
  vim.lsp.inline_completion.enable()
end
"""
    return [Snippet("~/.config/nvim/init.lua", "lua", text), *_exported(reached, _KEY_NAME)]


def llama_vim(reached: Reached) -> list[Snippet]:
    """llama.vim, in Vim and Neovim."""
    text = f"""let g:llama_config = {{
    \\ 'endpoint_fim': {_vim(f"{reached.root}/infill")},
    \\ 'model_fim': {_vim(reached.fill)},
    \\ 'api_key': {_vim(reached.key)},
    \\ }}
"""
    return [Snippet("~/.vimrc", "vim", text)]


def minuet_neovim(reached: Reached) -> list[Snippet]:
    """minuet in Neovim, which takes the key from a variable."""
    text = f"""require("minuet").setup({{
  provider = "openai_fim_compatible",
  n_completions = 1,
  provider_options = {{
    openai_fim_compatible = {{
      name = "Archipel",
      end_point = {_quoted(f"{reached.api}/completions")},
      model = {_quoted(reached.fill)},
      api_key = {_quoted(_name_of_key(reached))}, -- the name of a variable
      stream = true,
      optional = {{ max_tokens = {_TOKENS} }},
    }},
  }},
}})
"""
    return [Snippet("~/.config/nvim/init.lua", "lua", text), *_exported(reached, _KEY_NAME)]


def minuet_emacs(reached: Reached) -> list[Snippet]:
    """minuet in Emacs, which takes the key from a variable."""
    options = "minuet-openai-fim-compatible-options"
    text = f"""(setq minuet-provider 'openai-fim-compatible
      minuet-n-completions 1)
(with-eval-after-load 'minuet
  (plist-put {options} :name "Archipel")
  (plist-put {options} :end-point {_quoted(f"{reached.api}/completions")})
  (plist-put {options} :model {_quoted(reached.fill)})
  (plist-put {options} :api-key {_quoted(_name_of_key(reached))}) ; a variable's name
  (minuet-set-optional-options {options} :max_tokens {_TOKENS}))
"""
    return [Snippet("~/.emacs.d/init.el", "lisp", text), *_exported(reached, _KEY_NAME)]


def emacs_lsp(reached: Reached) -> list[Snippet]:
    """`archipel lsp` in Emacs' two clients."""
    words = " ".join(_quoted(word) for word in _lsp(reached))
    eglot = f"""(with-eval-after-load 'eglot
  (add-to-list 'eglot-server-programs
               '(python-mode . ({words}))))
"""
    lsp_mode = f"""(with-eval-after-load 'lsp-mode
  (lsp-register-client
   (make-lsp-client :new-connection (lsp-stdio-connection '({words}))
                    :activation-fn (lambda (&rest _) t)
                    :add-on? t
                    :server-id 'archipel)))
"""
    return [
        Snippet("~/.emacs.d/init.el, eglot", "lisp", eglot),
        Snippet("~/.emacs.d/init.el, lsp-mode", "lisp", lsp_mode),
        *_exported(reached, _KEY_NAME),
    ]


def jetbrains(reached: Reached) -> list[Snippet]:
    """Tabby's plugin, whose agent reads its settings from a file."""
    text = f"""[server]
endpoint = {_quoted(f"{reached.root}/tabby")}
token = {_quoted(reached.key)}

[anonymousUsageTracking]
disable = true
"""
    return [Snippet("~/.tabby-client/agent/config.toml", "toml", text)]


def zed(reached: Reached) -> list[Snippet]:
    """Zed, which writes the marks around a gap itself: which, `prompt_format` says."""
    asked = {
        "api_url": f"{reached.api}/completions",
        "model": reached.fill,
        "prompt_format": "qwen",
        "max_output_tokens": _TOKENS,
    }
    provider = "open_ai_compatible_api"
    settings = {"edit_predictions": {"provider": provider, provider: asked}}
    return [
        Snippet("~/.config/zed/settings.json", "json", _json(settings)),
        *_exported(reached, "ZED_OPEN_AI_COMPATIBLE_EDIT_PREDICTION_API_KEY"),
    ]


def _lsp(reached: Reached) -> list[str]:
    chat = ["--chat-model", reached.chat] if reached.chat else []
    return ["archipel", "lsp", "--url", reached.api, "--model", reached.fill, *chat]


def _exported(reached: Reached, name: str) -> list[Snippet]:
    """The variable that holds the key, where one is wanted."""
    if not reached.wants_key:
        return []
    return [Snippet("~/.profile", "bash", f"export {name}={shlex.quote(reached.key)}\n")]


def _name_of_key(reached: Reached) -> str:
    return _KEY_NAME if reached.wants_key else _SET_NAME


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _quoted(text: str) -> str:
    """As JSON, TOML, Lua and Lisp write it."""
    return json.dumps(text, ensure_ascii=False)


def _vim(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
