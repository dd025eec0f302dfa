"""What becomes of a cluster: several nodes, found or started, and nothing left behind."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ray.conftest import Gateway, Load, RayCluster, ours, processes, ray, wait_for_end

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning"),
    pytest.mark.timeout(400),  # a cluster takes 20 s to start on two busy cores
]

ANSWERS = r"replica (\w+) answers, on node (\w+)"
GONE = r"replica (\w+) is gone from node (\w+)"


def test_it_scales_up_under_load_over_both_nodes_and_down_when_idle(
    ray_cluster: RayCluster, gateway: Callable[..., Gateway]
) -> None:
    running = gateway(ray_cluster.address, min=1, max=4, up_seconds=1, down_seconds=4)
    nodes = {running.said(ANSWERS)[2]}
    with Load(running.url, 12) as load:
        for _ in range(3):
            nodes.add(running.said(ANSWERS)[2])
    assert len(nodes) == 2
    for _ in range(3):
        running.said(GONE)
    assert load.whole
    assert not load.failed
    assert not load.broke_off  # a replica that is one too many first ends what it answers
    assert running.ask().status_code == 200


def test_a_killed_replica_fails_no_request_that_had_not_begun_and_comes_back(
    ray_cluster: RayCluster, gateway: Callable[..., Gateway]
) -> None:
    running = gateway(ray_cluster.address, min=2, max=2)
    both = {running.said(ANSWERS)[1], running.said(ANSWERS)[1]}
    with Load(running.url, 6) as load:
        os.kill(next(iter(ray_cluster.engines().values())), signal.SIGKILL)
        assert running.said(GONE)[1] in both
        assert running.said(ANSWERS)[1] not in both
    assert not load.failed
    assert load.whole
    assert load.broke_off <= 6


def test_all_replicas_killed_at_once_fail_no_request_that_had_not_begun(
    ray_cluster: RayCluster, gateway: Callable[..., Gateway]
) -> None:
    running = gateway(ray_cluster.address, min=2, max=2)
    running.said(ANSWERS)
    running.said(ANSWERS)
    with Load(running.url, 4) as load:
        for replica in ray_cluster.engines().values():
            os.kill(replica, signal.SIGKILL)
        running.said(ANSWERS)
    assert not load.failed
    assert load.whole


def test_a_node_that_goes_fails_no_request_that_had_not_begun(
    ray_cluster: RayCluster, gateway: Callable[..., Gateway]
) -> None:
    running = gateway(ray_cluster.address, min=4, max=4)
    for _ in range(4):
        running.said(ANSWERS)
    with Load(running.url, 6) as load:
        ray_cluster.cluster.remove_node(ray_cluster.nodes[1], allow_graceful=False)
        assert running.said(GONE)[2] == running.said(GONE)[2]
    assert not load.failed
    assert load.whole
    ray_cluster.cluster.add_node(num_cpus=1)
    running.said(ANSWERS)  # Serve has looked for a place, and found one


def test_an_engine_that_dies_is_started_again_by_its_replica(
    ray_cluster: RayCluster, gateway: Callable[..., Gateway]
) -> None:
    running = gateway(ray_cluster.address, min=1, max=1)
    engine, replica = ray_cluster.engines().popitem()
    os.kill(engine, signal.SIGKILL)
    assert wait_for_end(engine)
    assert running.ask().status_code == 200
    again, same = ray_cluster.engines().popitem()
    assert again != engine
    assert same == replica


def test_the_end_of_a_gateway_leaves_a_found_cluster_as_it_was(
    ray_cluster: RayCluster, gateway: Callable[..., Gateway]
) -> None:
    before = _of_the_cluster(ray_cluster)
    running = gateway(ray_cluster.address, min=2, max=2)
    for _ in range(2):
        running.said(ANSWERS)
    engines = ray_cluster.engines()
    assert len(engines) == 2
    assert running.interrupt() == 0
    assert all(wait_for_end(pid) for pair in engines.items() for pid in pair)
    assert _of_the_cluster(ray_cluster) == before


def test_two_gateways_share_replicas_until_the_last_one_goes(
    ray_cluster: RayCluster, gateway: Callable[..., Gateway]
) -> None:
    first = gateway(ray_cluster.address, min=1, max=1)
    engines = ray_cluster.engines()
    second = gateway(ray_cluster.address, min=1, max=1)
    assert ray_cluster.engines() == engines
    assert first.interrupt() == 0
    assert second.ask().status_code == 200
    assert ray_cluster.engines() == engines
    second.process.kill()  # what speaks with Ray for it takes all back
    assert all(wait_for_end(pid, 60) for pair in engines.items() for pid in pair)


def test_the_gateway_answers_on_without_the_process_that_speaks_with_ray(
    ray_cluster: RayCluster, gateway: Callable[..., Gateway]
) -> None:
    running = gateway(ray_cluster.address, min=1, max=1)
    engines = ray_cluster.engines()
    os.kill(running.ray_process(), signal.SIGKILL)
    running.said("the process that speaks with Ray ended")
    assert running.ask().status_code == 200
    running.said("joined the Ray cluster")
    assert running.interrupt() == 0
    assert all(wait_for_end(pid) for pair in engines.items() for pid in pair)


def test_a_model_that_a_node_lacks_is_said_and_ends_the_start(
    ray_cluster: RayCluster, gateway: Callable[..., Gateway]
) -> None:
    running = gateway(ray_cluster.address, path="/nowhere/big.gguf", min=1, max=1)
    said = " ".join(running.process.communicate(timeout=120)[1].split())
    assert running.process.returncode == 1
    assert "error: tiny: on node" in said
    assert "'/nowhere/big.gguf'" in said
    assert "has to be on every node" in said


def test_no_cluster_at_the_address_is_said(gateway: Callable[..., Gateway]) -> None:
    running = gateway("127.0.0.1:1", min=1, max=1)
    said = " ".join(running.process.communicate(timeout=120)[1].split())
    assert running.process.returncode == 1
    assert "no Ray cluster answers at 127.0.0.1:1" in said


def test_a_cluster_that_it_started_ends_with_it(
    gateway: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mark = ours(monkeypatch, tmp_path)
    running = gateway(None, min=1, max=1)
    running.said("started a Ray cluster at ")
    assert running.ask().status_code == 200
    started = dict(processes(mark))
    assert any("raylet" in command for command in started.values())
    assert running.interrupt() == 0
    assert all(wait_for_end(pid) for pid in started)


def _of_the_cluster(ray_cluster: RayCluster) -> tuple[int, list[str]]:
    """Its nodes, and the actors that live in it."""
    ray.init(address=ray_cluster.address, log_to_driver=False)
    try:
        nodes = sum(node["Alive"] for node in ray.nodes())
        names = ray.util.list_named_actors(all_namespaces=True)
        return nodes, sorted(each["name"] for each in names)
    finally:
        ray.shutdown()
