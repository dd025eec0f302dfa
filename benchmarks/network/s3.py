"""An S3 server for the emulated networks: moto's, linearizable, with connections that are kept.

`python -m benchmarks.network.s3 HOST PORT BUCKET` serves until it is ended. Moto's own server
closes every connection, so that each request would cost one round trip more than S3's; and it
looks whether a key is there and writes it in two steps, so that two conditional puts at once could
both win. Here uvicorn keeps connections, and requests whose bodies have arrived take turns.
"""

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import uvicorn
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.test import Client, TestResponse

_HOP_HEADERS = {"connection", "transfer-encoding", "date", "server"}


class OneAtATime:
    """An ASGI application that answers one request at a time, however slowly they come in."""

    def __init__(self, bucket: str) -> None:
        self._client = Client(DomainDispatcherApplication(create_backend_app))
        self._turn = ThreadPoolExecutor(max_workers=1)
        self._client.put(f"/{bucket}", headers={"Host": "s3.amazonaws.com"})

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        """Take in the request's body, then answer in turn."""
        pieces, more = [], True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return  # cut off before it was whole: S3 would not act on it either
            pieces.append(message.get("body", b""))
            more = message.get("more_body", False)
        loop = asyncio.get_running_loop()
        response = await loop.run_in_executor(self._turn, self._answer, scope, b"".join(pieces))
        headers = [
            (key.lower().encode("latin-1"), value.encode("latin-1"))
            for key, value in response.headers
            if key.lower() not in _HOP_HEADERS
        ]
        start = {"type": "http.response.start", "status": response.status_code}
        await send({**start, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else response.data
        await send({"type": "http.response.body", "body": body})

    def _answer(self, scope: dict[str, Any], body: bytes) -> TestResponse:
        path, query = scope["raw_path"].decode(), scope["query_string"].decode()
        return self._client.open(
            f"{path}?{query}" if query else path,
            method=scope["method"],
            headers=[
                (key.decode("latin-1"), value.decode("latin-1")) for key, value in scope["headers"]
            ],
            data=body,
            buffered=True,
        )


def main() -> None:
    """Serve on the host and port of the command line, with one empty bucket."""
    host, port, bucket = sys.argv[1:]
    application: Any = OneAtATime(bucket)
    config = uvicorn.Config(application, log_level="warning", lifespan="off", timeout_keep_alive=60)
    with socket.create_server((host, int(port))) as listening:
        print("listening", flush=True)
        uvicorn.Server(config).run([listening])


if __name__ == "__main__":
    main()
