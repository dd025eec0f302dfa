"""What a recipe's run writes of itself: results.json and README.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from archipel.cli.recipe.table import FromScratch, OfPictures, Recipe
from archipel.files import write_atomic, write_json

RESULTS = "results.json"
_DIFFERENCE = "_single_site_difference"
_NAMES = {
    "bleu_fr_en": "BLEU, French → English",
    "bleu_en_fr": "BLEU, English → French",
    "chrf_fr_en": "chrF, French → English",
    "chrf_en_fr": "chrF, English → French",
    f"bleu{_DIFFERENCE}": "BLEU above the same recipe on one site (mean of both ways)",
    "repaired_share": "functions with one mistake, repaired so that they do what they did",
    f"repaired_share{_DIFFERENCE}": "the same, above that of the same recipe on one site",
    "parses_share": "halves of functions gone on with so that the whole is Python",
    "parses_share_filled_in": "gaps in functions filled so that the whole is Python",
    "bits_per_byte": "bits per byte of held-out stories, mean of both languages",
    "bits_per_byte_en": "the same, English",
    "bits_per_byte_fr": "the same, French",
    f"bits_per_byte{_DIFFERENCE}": "bits per byte above those of the same recipe on one site",
    "blimp": "BLiMP, English grammar: right sentences found likelier than wrong ones",
    "clams": "CLAMS, agreement over a distance: the same, mean of both languages",
    "clams_en": "the same, English",
    "clams_fr": "the same, French",
    "followed": "instructions on the form of an answer that were followed",
    "followed_en": "the same, English",
    "followed_fr": "the same, French",
    "ends_share_en": "stories told and gone on with whose last sentence ends, English",
    "ends_share_fr": "the same, French",
    "repeated_share_en": "runs of four words that the same answer has had before, English",
    "repeated_share_fr": "the same, French",
    "answers_per_second": "answers of at most 128 tokens a second, four at once",
    "rouge_l": "ROUGE-L of the nearest of an abstract's sentences, 0 to 1",
    "rouge_l_before": "the same, of the model that it began with",
    "summaries_per_second": "summaries a second, four at once",
    "repairs_per_second": "repairs a second, four at once",
    "sentences_per_second": "sentences a second, four at once",
    "ms_for_12_words": "a sentence of 12 words alone, milliseconds (median)",
    "recognised_top5_share_en": "pictures of words never seen together, recognised (top 5)",
    "recognised_top5_share_fr": "the same, asked in French",
    "named_top1_share_en": "pictures in the style that was held out, named in English",
    "named_top1_share_fr": "the same, in French",
    "grouped_share": "the same, whose group was said in English",
    "named_learnt_share_en": "pictures in the styles that were learnt, named in English",
    "named_learnt_share_fr": "the same, in French",
    "eyes_named_top1_share": "pictures in the style that was held out, told apart by its eyes",
    "eyes_minutes": "minutes for which the eyes were taught before anything was asked",
    "seconds_per_answer": "seconds for an answer (median)",
    "prompts": "prompts in each language",
    "recogniser_top5_share": "real pictures, moved and noisy, recognised (top 5)",
    "frechet_distance": "Fréchet distance to real pictures, in what the recogniser sees",
    "seconds_per_picture": "seconds for a picture (median)",
    "loss_ratio_three_sites": "held-out loss over that of the same recipe on one site",
    "held_out_loss": "held-out loss (of texts: nats a learnt token)",
    "held_out_loss_before": "the same, of the model that it began with",
    "sites": "sites",
    "tokens": "tokens trained, of all sites",
    "parameters": "parameters",
    "training_minutes": "minutes from the first inner step to the last",
    "gguf_bytes": "bytes of the GGUF",
}

_NOT_BESIDE = (
    "\nThe same recipe on one site, to compare with, was not run beside this one "
    "(`--sites 1`, then `--beside` its results).\n"
)


def means(recipe: Recipe, found: Mapping[str, float]) -> dict[str, float]:
    """The figures that are means of others. Pure."""
    return {
        name: round(sum(found[part] for part in parts) / len(parts), 4)
        for name, parts in recipe.means.items()
    }


def difference(
    recipe: Recipe, found: Mapping[str, Any], single: Mapping[str, Any]
) -> dict[str, float]:
    """By how much the figures that a recipe compares are above those of a run on one site, a mean.
    Pure."""
    if not isinstance(recipe, FromScratch):
        return {}
    ways = [name for name in found if name.startswith(recipe.compared) and name in single]
    mean = float(sum(found[way] - single[way] for way in ways)) / max(1, len(ways))
    return {f"{recipe.compared}{_DIFFERENCE}": round(mean, 4)}


def write_report(folder: Path, name: str, recipe: Recipe, found: Mapping[str, Any]) -> None:
    """Write both files."""
    write_json(folder / RESULTS, dict(found))
    write_atomic(folder / "README.md", readme(name, recipe, found).encode())


def write_picture_report(
    folder: Path, name: str, recipe: OfPictures, found: Mapping[str, Any], sheet: str
) -> None:
    """Write both files for a recipe of pictures; `sheet` says what the contact sheet beside them
    shows."""
    write_json(folder / RESULTS, dict(found))
    page = f"""# {name}

A small model that {recipe.about}. Written by `archipel recipe {name}`
([what a recipe is](../../docs/recipes.md)).

| | |
|---|---|
{_rows(found)}

![{sheet}](sheet.png)

{recipe.note}

Machine: {found["machine"]}. Commit {found["commit"]}.
"""
    write_atomic(folder / "README.md", page.encode())


def readme(name: str, recipe: Recipe, found: Mapping[str, Any]) -> str:
    """The page, whose figures are those of the run. Pure."""
    alone = isinstance(recipe, FromScratch) and f"{recipe.compared}{_DIFFERENCE}" not in found
    single = _NOT_BESIDE if alone else ""
    return f"""# {name}

A small model that {recipe.about}. Written by `archipel recipe {name}`
([what a recipe is](../../docs/recipes.md)).

| | |
|---|---|
{_rows(found)}
{single}
{recipe.note}

Machine: {found["machine"]}. Commit {found["commit"]}.

## The first held-out {recipe.examples}

{_shown(found["examples"])}
"""


def _rows(found: Mapping[str, Any]) -> str:
    return "\n".join(f"| {_NAMES[key]} | {found[key]:,} |" for key in _NAMES if key in found)


def _shown(examples: Sequence[tuple[str, str]]) -> str:
    """A table, or blocks where a text has several lines."""
    if any("\n" in text for both in examples for text in both):
        return "\n\n".join(f"~~~~\n{asked}\n~~~~\n\n~~~~\n{said}\n~~~~" for asked, said in examples)
    rows = "\n".join(f"| {asked} | {answer} |" for asked, answer in examples)
    return f"| asked | answered |\n|---|---|\n{rows}"
