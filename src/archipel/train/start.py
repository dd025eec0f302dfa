"""Starting a site on this machine: its cores, its corpus, its training."""

import logging
import os
import threading
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch

from archipel import config
from archipel.corpus import Manifest, Split, TokenReader, read_manifest
from archipel.corpus.remote import fetch_from, open_remote
from archipel.errors import ConfigError, RunError
from archipel.files import sha256_bytes
from archipel.ledger import Ledger
from archipel.train.factors import fetch_base
from archipel.train.group import open_group
from archipel.train.join import is_finished
from archipel.train.replica import follow
from archipel.train.sharding import InsideOptions
from archipel.train.site import SiteOptions, new_replica, run_site

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where and how a site works on this machine; None: whatever it may use, or the store's."""

    corpus: Path | None = None
    threads: int | None = None
    cores: set[int] | None = None
    inside: InsideOptions = field(default_factory=InsideOptions)


def start_site(ledger: Ledger, name: str, stop: threading.Event, place: Place) -> None:
    """Train as site `name` until the run is finished or `stop` is set.

    Under torchrun every process of the site calls this; those above rank 0 follow rank 0, and need
    the run to read only.

    Raises:
        ConfigError: the cores don't exist, or there are more processes than sequences in a batch.
        RunError: the local corpus is not the run's, or another process of the site has ended.
    """
    _take_cores(place.cores, place.threads)
    with open_group() as group:
        torch.manual_seed(_dice(ledger.spec.seed, name, group.rank))
        if group.rank:
            corpus = open_corpus(ledger, place.corpus, "train").folder
            follow(group, partial(new_replica, ledger.spec, corpus, place.inside, group))
        elif is_finished(ledger):
            log.info("the run at %s is finished: nothing to train", ledger.store.url)
        else:
            reader = open_corpus(ledger, place.corpus, "train")
            folder = config.home() / "sites" / ledger.run / name
            run_site(ledger, name, reader, stop, SiteOptions(folder, place.inside, group))


def _dice(seed: int, name: str, rank: int) -> int:
    """What a process draws, such as a picture's noise, is its own, and the same again."""
    return int(sha256_bytes(f"{seed} {name} {rank}".encode())[:15], 16)


def open_corpus(ledger: Ledger, corpus: Path | None, split: Split) -> TokenReader:
    """The run's tokens, from a local copy or from the store by way of a cache. The base of a run
    that learns factors is brought with them.

    Raises:
        RunError: the local corpus is not the run's.
        IntegrityError: the corpus or the base is damaged in the store.
    """
    fetch_base(ledger)
    if corpus is None:
        cache = config.home() / "cache" / "corpora"
        manifest, folder = open_remote(ledger.store, cache, ledger.spec.corpus_digest)
        return TokenReader(folder, manifest, split, fetch=fetch_from(ledger.store))
    manifest = read_manifest(corpus)
    _check_same(ledger, manifest, corpus)
    return TokenReader(corpus, manifest, split)


def _check_same(ledger: Ledger, manifest: Manifest, corpus: Path) -> None:
    if manifest.tokenizer_digest != ledger.spec.tokenizer_digest:
        raise RunError(
            f"{corpus} was built with another tokenizer than this run's: leave --corpus out to "
            "read the run's own, or build it with --tokenizer from the run"
        )
    if manifest.digest != ledger.spec.corpus_digest:
        raise RunError(
            f"{corpus} is not this run's corpus (digest {manifest.digest[:12]}, the run has "
            f"{ledger.spec.corpus_digest[:12]}): leave --corpus out to read the run's own"
        )


def _take_cores(cores: set[int] | None, threads: int | None) -> None:
    """Stay on some cores. After torch is imported, which would undo it."""
    if cores:
        try:
            os.sched_setaffinity(0, cores)
        except (OSError, AttributeError) as error:
            raise ConfigError(
                f"can't stay on the cores {sorted(cores)}: this machine offers "
                f"{config.usable_cores()}"
            ) from error
    share = config.usable_cores() // config.torchrun_local_processes()
    torch.set_num_threads(threads or max(1, share))
