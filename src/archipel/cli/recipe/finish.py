"""The last stage of a recipe: the model is asked what it is for, timed, and told of."""

from pathlib import Path

from archipel.cli.provenance import provenance
from archipel.cli.recipe import tasting
from archipel.cli.recipe.kitchen import Kitchen
from archipel.cli.recipe.report import difference, means, write_report
from archipel.files import read_json


def finish(kitchen: Kitchen, beside: Path | None) -> None:
    """Measure the model and write results.json and README.md into the recipe's folder.

    Raises:
        ConfigError: `beside` can't be read, or data is missing.
        ModelError: the model can't be loaded.
    """
    single = read_json(beside) if beside else None  # a wrong path is told now
    recipe, answers = kitchen.recipe, kitchen.out / "answers"
    facts = kitchen.facts()
    files = kitchen.files
    found = tasting.figures(kitchen.gguf, kitchen.model, recipe.asked, files, answers)
    found |= means(recipe, found)
    found |= tasting.speeds(kitchen.gguf, recipe, files)
    if single is not None:
        found |= difference(recipe, found, single)
    told = found | facts | {"gguf_bytes": kitchen.gguf.stat().st_size}
    examples = tasting.examples(recipe.asked, files, answers)
    results = {**told, **provenance(), "examples": examples}
    write_report(kitchen.out, kitchen.name, recipe, results)
    for key, value in told.items():
        kitchen.say(f"{key:<30} {value:,}")
    kitchen.say(f"archipel serve {kitchen.gguf}")
