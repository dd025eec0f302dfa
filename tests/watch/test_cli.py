"""`archipel run watch` as one runs it."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.ledger.paper import PaperRun
from tests.watch.conftest import beat

COMMAND = [sys.executable, "-m", "archipel", "run", "watch"]


def watch(url: object, *words: object, columns: int = 80) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"COLUMNS": str(columns), "LINES": "50"}
    command = [*COMMAND, str(url), *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env=environment
    )


@pytest.mark.parametrize("columns", [60, 80, 140])
def test_the_screen_fits(run: PaperRun, columns: int) -> None:
    done = watch(run.url, "--once", columns=columns)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= columns
    assert "500 k of 1 M tokens (50%)" in done.stdout
    assert re.search(r"paris\s+training\s+800\s+2.250\s+96%", done.stdout)
    assert "40 rounds" in done.stdout
    assert any("⣀" <= sign <= "⣿" for sign in done.stdout)  # the curve, in braille
    assert "refused eve in round 30: its norm is 113 times" in done.stdout.replace("\n", " ")
    assert "\x1b" not in done.stdout


def test_the_last_rounds_of_a_site(run: PaperRun) -> None:
    done = watch(run.url, "--once", columns=140)
    marks = {line.split()[0]: line.split()[-1] for line in done.stdout.splitlines() if "━" in line}
    assert marks["paris"] == "━" * 40
    assert marks["tokyo"] == "━" * 20 + "╌" + "━" * 19


def test_prices(run: PaperRun) -> None:
    done = watch(run.url, "--once", "--price", "3600", "--price", "tokyo=0")
    assert re.search(r"cost 487\.5\d", done.stdout)  # paris: 487.5 seconds at 1 a second
    for wrong in ("free", "paris=-1"):
        done = watch(run.url, "--once", "--price", wrong)
        assert done.returncode == 1
        assert done.stderr.startswith(f"error: --price {wrong!r} is not a price")


def test_json_is_one_document(run: PaperRun) -> None:
    done = watch(run.url, "--json")
    document = json.loads(done.stdout)
    assert (document["tokens"], document["rounds"], document["state"]) == (500_000, 40, "training")
    assert [site["name"] for site in document["sites"]] == ["eve", "paris", "tokyo"]
    assert len(document["recent"]) == 40
    assert document["refusals"][0]["site"] == "eve"
    assert document["bytes_per_token"] == pytest.approx(10.0, rel=1e-3)


def test_a_run_without_sites(run: PaperRun) -> None:
    for name in ("paris", "tokyo", "eve"):
        run.store.delete([f"sites/{name}.json"])
    assert "no site has joined yet" in watch(run.url, "--once").stdout


def test_the_screen_of_a_finished_run_ends(run: PaperRun) -> None:
    beat(run, "paris", state="done")
    beat(run, "tokyo", state="done")
    done = watch(run.url)
    assert done.returncode == 0
    assert "the run is finished" in done.stdout


@pytest.mark.parametrize("where", ["nothing", "nothing --page", "nothing --json"])
def test_a_url_without_a_run(tmp_path: Path, where: str) -> None:
    url, *words = where.split()
    done = watch(tmp_path / url, *words)
    assert done.returncode == 1
    assert done.stderr.startswith("error: there is no run at")


def test_page_metrics_and_event_files_of_one_process(run: PaperRun, tmp_path: Path) -> None:
    words = ["--page", "--port", "0", "--prometheus", "0", "--tensorboard", str(tmp_path / "tb")]
    with subprocess.Popen(
        [*COMMAND, run.url, *words], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        page, metrics = (process.stdout.readline().split()[1] for _ in range(2))
        answer = httpx.get(f"{page}/data").json()
        while answer["run"] is None:
            answer = httpx.get(f"{page}/data").json()
        assert answer["run"]["tokens"] == 500_000
        assert "archipel_run_tokens_total" in httpx.get(metrics).text
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert (tmp_path / "tb/archipel-watch.json").exists()


def test_a_port_that_is_taken_is_named(run: PaperRun) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = watch(run.url, "--page", "--port", port)
        assert done.returncode == 1
        assert f"port {port} is taken" in done.stderr
