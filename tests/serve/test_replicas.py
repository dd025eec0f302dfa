"""Replicas of a model on a cluster: which live, which is asked first, and when all fail."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from archipel.errors import ConfigError, ModelError
from archipel.serve.cluster.pool import Pool
from archipel.serve.cluster.replicas import (
    SILENT_SECONDS,
    Heard,
    Replica,
    in_order,
    known,
    replicas_wanted,
    streams_in,
)
from archipel.serve.cluster.settings import with_models_elsewhere
from archipel.serve.question import Question
from archipel.serve.routing import Target
from archipel.serve.setting_tables import ModelTable
from archipel.serve.settings import Settings, read_settings
from archipel.serve.translation import Unmappable

_TARGET = Target("tiny", "tiny", is_here=True)


def _replica(id: str, *, beat: int = 1, streams: int = 0, leaving: bool = False) -> Replica:
    return Replica("tiny", id, "node", f"http://{id}", f"key of {id}", streams, beat, leaving)


def _question(**fields: object) -> Question:
    return Question("/chat/completions", {"model": "tiny", **fields}, None)


def test_a_replica_lives_while_it_beats_and_one_that_leaves_is_asked_no_more() -> None:
    beats = [Heard(_replica("a"), 0.0), Heard(_replica("b"), 4.0)]
    assert known({}, beats, now=4.0).keys() == {"a", "b"}
    assert known({}, beats, now=SILENT_SECONDS).keys() == {"b"}
    leaving = Heard(_replica("b", beat=2, leaving=True), 4.5)
    assert known(known({}, beats, now=4.0), [leaving], now=4.5).keys() == {"a"}


def test_a_roll_that_was_started_again_and_knows_nothing_yet_ends_no_replica() -> None:
    before = known({}, [Heard(_replica("a"), 10.0)], now=10.0)
    assert known(before, [], now=12.0) == before


def test_an_older_beat_does_not_replace_a_newer_one() -> None:
    before = known({}, [Heard(_replica("a", beat=3), 3.0)], now=3.0)
    after = known(before, [Heard(_replica("a", beat=2), 2.0)], now=3.0)
    assert after["a"].replica.beat == 3


def test_the_least_busy_replica_is_first() -> None:
    assert in_order({"a": 3, "b": 0, "c": 1}, b"any", full=None) == ["b", "c", "a"]


def test_conversations_stay_where_they_were_until_that_one_is_full() -> None:
    draws = [str(number).encode() for number in range(200)]
    idle = {"a": 0, "b": 0, "c": 0}
    homes = {draw: in_order(idle, draw, full=4)[0] for draw in draws}
    assert set(homes.values()) == set(idle)
    for draw in draws:
        assert in_order({**idle, homes[draw]: 3}, draw, full=4)[0] == homes[draw]
        assert in_order({**idle, homes[draw]: 4}, draw, full=4)[-1] == homes[draw]
        one_more = in_order({**idle, "d": 0}, draw, full=4)[0]
        assert one_more in (homes[draw], "d")


def test_replicas_wanted_are_the_streams_by_what_each_is_to_have() -> None:
    assert replicas_wanted([4, 4], 4) == 2
    assert replicas_wanted([4, 7], 4) == 2.75
    assert replicas_wanted([], 4) == 0


def test_streams_are_read_from_what_an_engine_says_of_itself() -> None:
    said = (
        "# HELP llamacpp:requests_processing Number of requests processing.\n"
        "# TYPE llamacpp:requests_processing gauge\n"
        "llamacpp:requests_processing 2\n"
        "llamacpp:requests_deferred 5\n"
        "llamacpp:prompt_tokens_total 9\n"
    )
    assert streams_in(said) == 7
    assert streams_in("") == 0


def test_each_replica_is_a_target_and_the_pool_itself_the_last() -> None:
    async def run() -> None:
        pool = Pool("tiny", 2)
        assert pool.targets(_TARGET, b"", sticky=False) == [_TARGET]
        await pool.change([_replica("a", streams=1), _replica("b")])
        targets = pool.targets(_TARGET, b"", sticky=False)
        assert [target.replica for target in targets] == ["b", "a", None]
        call = await pool.replica("a").call(_question(), "tiny")
        assert call.url == "http://a/v1/chat/completions"
        assert call.headers["Authorization"] == "Bearer key of a"
        await pool.change([_replica("b")])
        with pytest.raises(ModelError, match="a is gone"):
            await pool.replica("a").call(_question(), "tiny")

    asyncio.run(run())


def test_what_is_under_way_counts_until_it_has_ended() -> None:
    async def run() -> None:
        pool = Pool("tiny", 2)
        await pool.change([_replica("a"), _replica("b")])
        call = await pool.replica("a").call(_question(), "tiny")
        assert pool.targets(_TARGET, b"", sticky=False)[0].replica == "b"
        other = await pool.replica("b").call(_question(), "tiny")
        call.done()
        call.done()
        assert pool.targets(_TARGET, b"", sticky=False)[0].replica == "a"
        other.done()
        picture = {"role": "user", "content": [{"image_url": {"url": "http://10.0.0.1/"}}]}
        with pytest.raises(Unmappable):
            await pool.replica("b").call(_question(messages=[picture]), "tiny")
        assert pool.targets(_TARGET, b"x", sticky=True)[0].replica  # neither is full

    asyncio.run(run())


def test_a_gap_is_refused_and_takes_no_place() -> None:
    async def run() -> None:
        pool = Pool("tiny", 2)
        await pool.change([_replica("a"), _replica("b")])
        first = pool.targets(_TARGET, b"", sticky=False)[0].replica
        assert first
        asked = {"model": "tiny", "prompt": "def f(", "suffix": "):"}
        with pytest.raises(Unmappable, match="suffix"):
            await pool.replica(first).call(Question("/completions", asked, None), "tiny")
        assert pool.targets(_TARGET, b"", sticky=False)[0].replica == first

    asyncio.run(run())


def test_when_all_have_failed_the_pool_waits_for_one_that_lives() -> None:
    async def run() -> None:
        pool = Pool("tiny", 2)
        dead = _replica("dead", beat=8)
        await pool.change([dead])
        asking = asyncio.create_task(pool.call(_question(), "tiny"))
        await asyncio.sleep(0)
        await pool.change([dead])
        await pool.change([])
        await asyncio.wait([asking], timeout=0)
        assert not asking.done()
        await pool.change([_replica("new", beat=1)])
        assert (await asking).url == "http://new/v1/chat/completions"
        again = asyncio.create_task(pool.call(_question(), "tiny"))
        await asyncio.sleep(0)
        await pool.change([_replica("new", beat=2)])  # it lives: it is asked a second time
        assert (await again).url == "http://new/v1/chat/completions"

    asyncio.run(run())


def test_a_table_of_replicas_is_checked(tmp_path: Path) -> None:
    file = tmp_path / "service.toml"

    def problem(replicas: str) -> str:
        file.write_text(f'[models.tiny]\npath = "x"\nparallel = 4\nreplicas = {replicas}\n')
        with pytest.raises(ConfigError) as caught:
            read_settings(file)
        return str(caught.value)

    assert "models.tiny.replicas: Value error, min is 3, more than max, 2" in problem(
        "{min = 3, max = 2}"
    )
    assert "streams_each is 5, and parallel" in problem("{max = 2, streams_each = 5}")
    assert "models.tiny.replicas.gpu" in problem("{gpu = 1}")


def test_models_on_a_cluster_need_no_file_here_and_have_no_stay(tmp_path: Path) -> None:
    def table(path: str) -> ModelTable:
        return ModelTable(path=path)

    here = tmp_path / "ours.gguf"
    here.touch()
    found = with_models_elsewhere(Settings(), [str(here), "far=/models/far.gguf"], table)
    assert found.models["ours"].path == str(here)
    assert found.models["far"].path == "/models/far.gguf"
    with pytest.raises(ConfigError, match="two models are called 'far'"):
        with_models_elsewhere(found, ["far=x"], table)
    for fields in ({"load": "demand"}, {"idle_seconds": 60}, {"pinned": True}):
        stays = Settings(models={"far": table("x").model_copy(update=fields)})
        with pytest.raises(ConfigError, match=r"models\.far: load, idle_seconds and pinned"):
            with_models_elsewhere(stays, [], table)


def test_a_replica_has_a_breaker_of_its_own() -> None:
    one, other = replace(_TARGET, replica="a"), replace(_TARGET, replica="b")
    assert len({one, other, _TARGET}) == 3
    assert one.shown == "tiny/tiny (replica a)"
