"""The process that speaks with Ray for a gateway: it deploys the models and tells who lives.

Reads its order, a line of JSON, from standard input; writes lines of JSON to standard output; ends
when standard input does, and takes back what it did to the cluster. It is a process of its own
since Ray's library ends the program that uses it when the cluster's head is lost, and takes 220 MB.
"""

import hashlib
import json
import math
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import ray
from ray import serve
from ray.serve.config import AutoscalingConfig, AutoscalingPolicy

from archipel.errors import ArchipelError, ConfigError, ModelError
from archipel.serve.cluster.deployment import EngineReplica, wanted
from archipel.serve.cluster.roll import NAMESPACE, start_roll, the_roll

_LOOK_SECONDS = 0.5
_STATUS_LOOKS = 10  # looks between two questions how the deployments are
_ROLL_SECONDS = 10.0
_DRAIN_SECONDS = 600.0  # that answers under way may take when a replica is one too many
_OBJECTS_BYTES = 80 << 20  # of the cluster that we start: nothing is kept in it
_CONNECT_SECONDS = 10.0
_END_SECONDS = 25.0
_DEPLOYMENT = "engine"

Tell = Callable[..., None]


def main() -> None:
    """Deploy, and tell who lives, until standard input ends."""
    lines = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever else is printed belongs in the log

    def tell(**line: Any) -> None:
        lines.write(json.dumps(line) + "\n")

    order = json.loads(sys.stdin.readline())
    ended = threading.Event()
    threading.Thread(target=_wait_for_end, args=(ended,), daemon=True).start()
    try:
        found = join(order["address"])
        where = "joined the Ray cluster at" if found else "started a Ray cluster at"
        tell(joined=f"{where} {ray.get_runtime_context().gcs_address}")
        try:
            # What starts here by itself is for this machine.
            _run(order, tell, ended, host=None if found else "127.0.0.1")
        finally:
            _leave(order["gateway"], found)
    except ArchipelError as error:
        tell(error=str(error))
        sys.exit(1)


def _wait_for_end(ended: threading.Event) -> None:
    """Then the rest has some seconds: Ray, looking for a cluster, may hang for minutes."""
    sys.stdin.read()
    ended.set()
    time.sleep(_END_SECONDS)
    os._exit(1)


def join(address: str | None) -> bool:
    """Join the cluster at `address`, or the one of this machine, or start one here. Whether it was
    there.

    Raises:
        ConfigError: none answers at `address`, or it is of another version of Ray or Python.
    """
    if address:
        _check_answers(address)
    try:
        _init(address or "auto")
        return True
    except ConnectionError as error:
        if address:
            raise ConfigError(f"can't join the Ray cluster at {address}: {error}") from error
    except (RuntimeError, ValueError) as error:
        raise ConfigError(f"can't join the Ray cluster: {error}") from error
    _init("local", include_dashboard=False, object_store_memory=_OBJECTS_BYTES)
    return False


def _check_answers(address: str) -> None:
    """Ray itself tries an address that is wrong for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"no Ray cluster answers at {address}: {error}. Start one with `ray start --head`, let "
            "this machine join it with `ray start --address HOST:PORT`, and give that HOST:PORT"
        ) from error


def _init(address: str, **options: Any) -> None:
    ray.init(
        address=address,
        namespace=NAMESPACE,
        log_to_driver=False,
        logging_level="ERROR",
        **options,
    )


def _run(order: Mapping[str, Any], tell: Tell, ended: threading.Event, *, host: str | None) -> None:
    roll = start_roll(_serve_is_there())
    serve.start(proxy_location="Disabled")
    digests = {}
    before = ray.get(roll.deployed.remote())
    for name, model in order["models"].items():
        app = f"archipel {quote(name, safe='')}"
        digests[app] = hashlib.sha256(json.dumps(model, sort_keys=True).encode()).hexdigest()
        if before.get(app) != digests[app] or app not in serve.status().applications:
            _deploy(app, name, model, host)
    looks, said = 0, ""
    while not ended.wait(_LOOK_SECONDS):
        try:
            looking = roll.look.remote(order["gateway"], digests)
            tell(replicas=ray.get(looking, timeout=_ROLL_SECONDS))
        except ray.exceptions.RayError as error:
            tell(said=f"the roll does not answer: {type(error).__name__}")
            roll = the_roll()
        if looks % _STATUS_LOOKS == 0 and (now := _status(digests)) != said:
            said = now
            tell(said=said)
        looks += 1


def _serve_is_there() -> bool:
    try:
        ray.get_actor("SERVE_CONTROLLER_ACTOR", namespace="serve")
    except ValueError:
        return False
    return True


def _deploy(app: str, name: str, model: Mapping[str, Any], host: str | None) -> None:
    replicas, table = model["replicas"], model["table"]
    scaling = AutoscalingConfig(
        min_replicas=replicas["min"],
        max_replicas=replicas["max"],
        target_ongoing_requests=replicas["streams_each"],
        upscale_delay_s=replicas["up_seconds"],
        downscale_delay_s=replicas["down_seconds"],
        metrics_interval_s=1.0,
        look_back_period_s=2.0,
        policy=AutoscalingPolicy(policy_function=wanted),
    )
    threads = table["threads"] or max(1, math.floor(replicas["cpus"]))
    deployment = serve.deployment(
        EngineReplica,
        name=_DEPLOYMENT,
        ray_actor_options={"num_cpus": replicas["cpus"], "num_gpus": replicas["gpus"]},
        autoscaling_config=scaling,
        graceful_shutdown_timeout_s=_DRAIN_SECONDS,
        health_check_period_s=5.0,
        max_constructor_retry_count=2,
    )
    target = deployment.bind(name, {**table, "threads": threads}, host)
    serve.run_many(
        [serve.RunTarget(target, name=app, route_prefix=None)],
        wait_for_ingress_deployment_creation=False,
        wait_for_applications_running=False,
    )


def _status(apps: Mapping[str, str]) -> str:
    """How those are that do not run as they should; empty if all do.

    Raises:
        ModelError: one can't be started on any node.
    """
    problems = []
    for app in apps:
        found = serve.status().applications.get(app)
        if found is None or found.status == "RUNNING":
            continue
        engine = found.deployments.get(_DEPLOYMENT)
        message = engine.message if engine else found.message
        if found.status == "DEPLOY_FAILED":
            raise ModelError(f"{app.removeprefix('archipel ')}: {_our_words(message)}")
        if message:
            problems.append(f"{app.removeprefix('archipel ')}: {_our_words(message)}")
    return "; ".join(problems)


def _our_words(message: str) -> str:
    """Of a traceback that Serve passes on, what our own error says."""
    _, marker, said = message.rpartition("ModelError: ")
    return said.strip() if marker else message.strip()


def _leave(gateway: str, found: bool) -> None:
    """Take back what this gateway did to the cluster, unless another uses it too."""
    try:
        roll = the_roll()
        apps, serve_too = ray.get(roll.leave.remote(gateway), timeout=_ROLL_SECONDS)
        for app in apps:
            serve.delete(app)
        if serve_too:
            serve.shutdown()
        if apps:
            ray.kill(roll)
    except (ray.exceptions.RayError, ValueError) as error:
        if found:  # else it ends with us
            sys.stderr.write(f"the cluster does not answer: {error}\n")
    ray.shutdown()


if __name__ == "__main__":
    main()
