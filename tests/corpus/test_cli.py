"""`archipel corpus build`, as it is typed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from archipel.corpus import read_manifest

MAIN = "from archipel.cli.main import main; main()"


def archipel(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_build_prints_one_line_and_nothing_to_do_the_second_time(
    texts: Path, tmp_path: Path
) -> None:
    out = tmp_path / "corpus"
    command = ("corpus", "build", texts, "-o", out, "--vocab-size", "512", "--held-out", "0.2")
    done = archipel(*command)
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    assert done.stdout.endswith(f"Digest {read_manifest(out).digest}\n")
    again = archipel(*command)
    assert again.returncode == 0
    assert "already built, nothing to do" in again.stderr


def test_bad_input_is_one_message(tmp_path: Path) -> None:
    done = archipel("corpus", "build", tmp_path / "none", "-o", tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr == f"error: {tmp_path / 'none'} does not exist. Check the path.\n"
    assert not (tmp_path / "out").exists()


def test_ctrl_c_says_how_to_go_on(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "endless.txt")
    command = [sys.executable, "-c", MAIN, "corpus", "build", "endless.txt", "-o", "out"]
    with (
        subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as child,
        (tmp_path / "endless.txt").open("w"),  # returns when the child has opened it to read
    ):
        child.send_signal(signal.SIGINT)
        _, stderr = child.communicate(timeout=20)
    assert child.returncode == 130
    assert stderr == "Stopped. The same command goes on where it was.\n"


def test_help_shows_an_example() -> None:
    assert "archipel corpus build notes/" in archipel("corpus", "build", "--help").stdout


def test_the_corpus_needs_neither_torch_nor_transformers(texts: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from archipel.corpus import *\n"
        f"build_corpus([Path({str(texts)!r})], Path({str(tmp_path)!r}), BuildOptions())\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
