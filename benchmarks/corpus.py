"""Corpus building against `datasets.map` with the same tokenizer, on the standard library's text.

Ours reads the files, removes duplicates, encodes and writes shards; theirs has the text already
loaded as a Dataset, encodes and writes Arrow. Training the tokenizer counts on neither side.
"""

import sysconfig
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median

from archipel.config import usable_cores
from archipel.corpus import BuildOptions, Manifest, build_corpus


def run(quick: bool) -> dict[str, float | int]:
    """Measure pairs of runs, one after the other, and return the medians."""
    library = Path(sysconfig.get_path("stdlib"))
    files = [path for path in library.rglob("*.py") if "site-packages" not in path.parts]
    files = sorted(files)[:: 4 if quick else 1]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        first = build_corpus(files, work / "first", BuildOptions())
        options = BuildOptions(tokenizer=work / "first" / "tokenizer")
        theirs = _fastest(_maps(files, work))
        ours_seconds, theirs_seconds = [], []
        for number in range(3 if quick else 5):
            ours = partial(build_corpus, files, work / f"ours-{number}", options)
            ours_seconds.append(_seconds(ours))
            theirs_seconds.append(_seconds(theirs))
    return _figures(first, ours_seconds, theirs_seconds)


def _maps(files: list[Path], work: Path) -> list[Callable[[], object]]:
    """`datasets.map` as it is best used: nothing but the ids, in batches, with all cores."""
    import datasets
    from transformers import AutoTokenizer

    from archipel.corpus.documents import read_documents

    datasets.disable_progress_bars()
    tokenizer = AutoTokenizer.from_pretrained(work / "first" / "tokenizer")
    found = (document.text for path in files for document in read_documents(path, "text"))
    texts = list(dict.fromkeys(text for text in found if text and text.strip()))
    datasets.Dataset.from_dict({"text": texts}).save_to_disk(work / "texts")
    dataset = datasets.load_from_disk(work / "texts")

    def encode(batch: dict[str, list[str]]) -> dict[str, list[list[int]]]:
        encoded = tokenizer(
            batch["text"], add_special_tokens=False, return_attention_mask=False, verbose=False
        )
        return {"input_ids": encoded["input_ids"]}

    def mapping(processes: int | None, batch_size: int) -> object:
        return dataset.map(
            encode,
            batched=True,
            batch_size=batch_size,
            num_proc=processes,
            remove_columns=["text"],
            load_from_cache_file=False,
            cache_file_name=str(work / "mapped.arrow"),
        )

    settings = product((None, usable_cores()), (1000, 200))
    return [partial(mapping, processes, size) for processes, size in settings]


def _fastest(runs: list[Callable[[], object]]) -> Callable[[], object]:
    return min(runs, key=_seconds)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _figures(
    manifest: Manifest, ours_seconds: list[float], theirs_seconds: list[float]
) -> dict[str, float | int]:
    megabytes = manifest.text_bytes / 1e6
    pairs = zip(ours_seconds, theirs_seconds, strict=True)
    return {
        "pairs": len(ours_seconds),
        "documents": manifest.documents,
        "text_megabytes": round(megabytes, 2),
        "megabytes_per_second": round(megabytes / median(ours_seconds), 2),
        "datasets_map_megabytes_per_second": round(megabytes / median(theirs_seconds), 2),
        "ratio_to_datasets_map": round(median(theirs / ours for ours, theirs in pairs), 2),
    }
