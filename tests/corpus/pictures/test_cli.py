"""`archipel corpus build --images`, as it is typed."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from archipel.corpus import read_manifest

Make = Callable[..., Path]
MAIN = "from archipel.cli.main import main; main()"
SMALL = ("--size", "8", "--values", "6", "--caption-tokens", "12", "--vocab-size", "300")


def archipel(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_build_with_images_says_what_came_of_it(shapes: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    done = archipel("corpus", "build", "--images", shapes, "-o", out, *SMALL)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{out}: 27 pictures to train on in 54 rows, 9 held out")
    assert "12 tokens and 6 values a row" in done.stdout
    assert done.stdout.endswith(f"% of the variance. Digest {read_manifest(out).digest}\n")
    same = archipel("corpus", "pictures", shapes, "-o", tmp_path / "same", *SMALL)
    assert same.returncode == 0, same.stderr
    assert read_manifest(tmp_path / "same") == read_manifest(out)
    again = archipel("corpus", "build", shapes, "--images", "-o", out, *SMALL)
    assert again.returncode == 1
    assert again.stderr.startswith(f"error: {out} exists already")


def test_what_is_left_out_is_counted_and_named(folder_of: Make, tmp_path: Path) -> None:
    folder = folder_of(4)
    (folder / "0.png").write_bytes(b"no picture")
    (folder / "1.txt").unlink()
    done = archipel("corpus", "build", "--images", folder, "-o", tmp_path / "out", *SMALL)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1] == (
        f"left out: 1 damaged, or no picture (the first: {folder / '0.png'}); "
        f"1 without a caption (the first: {folder / '1.png'})"
    )
    assert f"{folder / '1.png'} is left out: without a caption" in done.stderr


def test_options_of_text_are_not_for_images(shapes: Path, tmp_path: Path) -> None:
    done = archipel("corpus", "build", "--images", shapes, "-o", tmp_path, "--fill-in", "0.5")
    assert done.returncode == 2
    assert "No such option" in done.stderr


def test_no_pictures_is_one_message_and_no_folder(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("a text")
    done = archipel("corpus", "build", "--images", tmp_path / "notes", "-o", tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: no picture with a caption in {tmp_path / 'notes'}")
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]


def test_ctrl_c_leaves_nothing(folder_of: Make, tmp_path: Path) -> None:
    folder = folder_of(300)
    (folder / "0.png").write_bytes(b"no picture")
    command = [sys.executable, "-c", MAIN, "corpus", "build", "--images", str(folder), "-o", "out"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        assert "left out" in child.stderr.readline()  # the others are not read yet
        child.send_signal(signal.SIGINT)
        _, stderr = child.communicate(timeout=60)
    assert child.returncode == 130
    assert stderr.endswith("Stopped: out was not made.\n")
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


def test_help_shows_an_example() -> None:
    for verb in (("build", "--images"), ("pictures",)):
        assert "--caption-tokens" in archipel("corpus", *verb, "--help").stdout
    assert "--images" in archipel("corpus", "build", "--help").stdout


def test_pictures_need_neither_torch_nor_transformers(shapes: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from archipel.corpus.pictures import *\n"
        "from archipel.corpus.left_out import LeftOut\n"
        f"build_picture_corpus([Path({str(shapes)!r})], Path({str(tmp_path / 'out')!r}), "
        "PictureOptions(size=8, values=4), LeftOut())\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
