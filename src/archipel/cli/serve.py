"""archipel serve: models behind one OpenAI-compatible API."""

from collections.abc import Mapping
from pathlib import Path

import typer

from archipel import config
from archipel.errors import ConfigError

MODELS_HELP = "Directories, .gguf files or pulled names; NAME=MODEL gives another public name."


def serve(
    models: list[str] = typer.Argument(help=MODELS_HELP),
    host: str = typer.Option("127.0.0.1", help="Address to listen on; another needs a key."),
    port: int = typer.Option(8080, min=0, max=65535, help="Port to listen on; 0 takes a free one."),
    context: int = typer.Option(4096, min=64, help="Tokens that one request may use."),
    parallel: int = typer.Option(4, min=1, help="Requests that each model answers at once."),
    threads: int | None = typer.Option(None, min=1, help="Threads per model.  [default: cores]"),
    api_key_file: Path | None = typer.Option(
        None, help="File with the key that clients must send.  [default: ARCHIPEL_API_KEY]"
    ),
) -> None:
    """Serve models through an OpenAI-compatible API until Ctrl-C."""
    import asyncio

    from archipel.serve.engine import EngineSettings
    from archipel.serve.hosting import listen, stop_event
    from archipel.serve.service import check_exposure, service
    from archipel.serve.weights import resolve_models

    api_key = read_api_key(api_key_file)
    check_exposure(host, api_key)
    sock = listen(host, port)
    paths = resolve_models(models, config.home())
    settings = EngineSettings(context_tokens=context, parallel=parallel, threads=threads)

    async def run() -> None:
        async with service(paths, sock=sock, api_key=api_key, settings=settings) as url:
            stopped = stop_event()
            print_models(url, paths)
            await stopped.wait()

    asyncio.run(run())


def read_api_key(file: Path | None) -> str | None:
    """The key in `file`, else the environment's.

    Raises:
        ConfigError: the file can't be read or is empty.
    """
    if file is None:
        return config.api_key()
    try:
        key = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"can't read the key in {file}: {error}. Check the path.") from error
    if not key:
        raise ConfigError(f"{file} is empty. Put one key into it.")
    return key


def print_models(url: str, paths: Mapping[str, Path]) -> None:
    """One line per model."""
    from rich.console import Console

    console = Console(highlight=False)
    for name, path in paths.items():
        size_mb = path.stat().st_size / 1e6
        console.print(f"[bold]{name}[/]  {url}  [dim]{size_mb:,.0f} MB[/]", soft_wrap=True)
