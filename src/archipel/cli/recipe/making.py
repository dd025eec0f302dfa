"""What recipes make of the data's folder before anything is learnt."""

import asyncio
from pathlib import Path

from rich.console import Console

from archipel.corpus.repairs import RepairOptions, judged_cases, make_repairs, write_repairs
from archipel.corpus.stories import StoryOptions, make_stories, write_stories
from archipel.errors import ConfigError
from archipel.models.folders import complete_folder


def make(
    options: RepairOptions | StoryOptions, source: Path, folder: Path, console: Console
) -> str:
    """Make the files in `folder` of what is at `source`; what came of it, in words.

    Raises:
        ConfigError: there is nothing that they can be made of.
        SandboxError: programs can't be run apart on this machine.
    """
    if isinstance(options, RepairOptions):
        return _repairs(options, source, folder, console)
    return _stories(options, source, folder)


def _repairs(options: RepairOptions, source: Path, folder: Path, console: Console) -> str:
    with console.status("reading") as status:

        def show(what: str, done: int, count: int) -> None:
            status.update(f"{what}: {done:,} of {count:,} modules")

        made = make_repairs([source], options, show)
        cases = asyncio.run(judged_cases(made.held_out.pairs, options.seed, show))
        if not cases:
            raise ConfigError(
                f"no function of {source}'s held-out modules can be judged by running: all are "
                "methods, or do nothing that can be told. Give --data with more Python"
            )
        with complete_folder(folder) as place:
            write_repairs(place, made, cases, options)
    pairs = f"{len(made.train.pairs):,} broken functions to learn from"
    return f"{pairs}, {len(cases):,} cases to be judged by"


def _stories(options: StoryOptions, source: Path, folder: Path) -> str:
    made = make_stories(source, options)
    with complete_folder(folder) as place:
        write_stories(place, made, options)
    languages = " and ".join(made.languages)
    return f"{len(made.train):,} stories in {languages}, {len(made.held_out):,} held out"
