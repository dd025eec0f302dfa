"""An unfinished tuning on disk: which one it is, and how far it has come.

Knows nothing about models. A file that is there is complete.
"""

import json
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from archipel.errors import ConfigError, IntegrityError
from archipel.files import read_json, write_json

log = logging.getLogger(__name__)

_CHECKPOINT = "checkpoint.safetensors"
_JOB = "job.json"


class Work:
    """The folder beside the one that is to be made; it is there as long as that is not."""

    def __init__(self, out: Path) -> None:
        out = Path(os.path.abspath(out))  # noqa: PTH100 (resolve() would follow a link at the end)
        self.folder = out.with_name(out.name + ".unfinished")

    def begin(self, job: Mapping[str, object]) -> None:
        """Take the folder for this job, new or again.

        Raises:
            ConfigError: it holds another job, or can't be written.
        """
        path = self.folder / _JOB
        if not path.exists():
            write_json(path, job)
            return
        found = read_json(path)
        other = sorted(name for name in {*found, *job} if found.get(name) != job.get(name))
        if other:
            raise ConfigError(
                f"{self.folder} holds an unfinished tuning with another {', '.join(other)}: give "
                "the same command as then to go on with it, or remove that folder"
            )

    def save(self, tensors: Mapping[str, torch.Tensor], facts: Mapping[str, Any]) -> None:
        """Write a checkpoint over the last one; a disk that is full is only warned of."""
        draft = self.folder / f".{_CHECKPOINT}"
        try:
            whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
            save_file(whole, draft, {"facts": json.dumps(facts)})
            with draft.open("rb") as file:
                os.fsync(file.fileno())
            draft.replace(self.folder / _CHECKPOINT)
        except (OSError, SafetensorError) as error:
            draft.unlink(missing_ok=True)
            log.warning("no checkpoint in %s: %s. Training goes on", self.folder, error)

    def load(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
        """The newest checkpoint's tensors and facts, or None where there is none yet.

        Raises:
            IntegrityError: it is damaged.
        """
        path = self.folder / _CHECKPOINT
        if not path.exists():
            return None
        try:
            with safe_open(path, "pt") as file:
                facts = json.loads((file.metadata() or {})["facts"])
                return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise IntegrityError(
                f"{path} is damaged ({error}): remove {self.folder} to begin again"
            ) from error

    def remove(self) -> None:
        """What it was kept for is made."""
        shutil.rmtree(self.folder, ignore_errors=True)
