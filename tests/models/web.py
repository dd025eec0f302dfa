"""A small web server on loopback: files with ranges, and what pulling needs of a model hub."""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Site:
    """Files by path, hub repositories by name, and what was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.requests: list[tuple[str, str, str | None]] = []
        self.cut_after_bytes: int | None = None
        self.url = ""

    def content(self, path: str) -> bytes | None:
        if match := re.fullmatch(r"/(\w+/[\w-]+)/resolve/\w+/(.+)", path):
            return self.repositories.get(match[1], {}).get(match[2])
        if match := re.fullmatch(r"/api/models/(\w+/[\w-]+)(?:/revision/\w+)?", path):
            return self._listing(match[1])
        return self.files.get(path)

    def _listing(self, repository: str) -> bytes | None:
        if repository not in self.repositories:
            return None
        siblings = [
            {
                "rfilename": name,
                "size": len(data),
                "lfs": {
                    "sha256": hashlib.sha256(data).hexdigest(),
                    "size": len(data),
                    "pointerSize": 134,
                },
            }
            for name, data in self.repositories[repository].items()
        ]
        facts = {"id": repository, "sha": COMMIT, "cardData": {"license": "mit"}}
        return json.dumps({**facts, "siblings": siblings}).encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def do_GET(self) -> None:
        path, wanted = self.path.split("?")[0], self.headers.get("Range")
        self.site.requests.append((self.command, path, wanted))
        content = self.site.content(path)
        if content is None:
            return self._head(404, 0, b"", {"X-Error-Code": "RepoNotFound"})
        first = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted else 0
        if wanted and first >= len(content):
            return self._head(416, 0, content, {})
        span = f"bytes {first}-{len(content) - 1}/{len(content)}"
        self._head(206 if wanted else 200, len(content) - first, content, {"Content-Range": span})
        if self.command == "GET":
            self.wfile.write(content[first : self.site.cut_after_bytes])
            self.close_connection = self.site.cut_after_bytes is not None
        return None

    do_HEAD = do_GET

    def _head(self, status: int, length: int, content: bytes, extra: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        for name, value in extra.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve_site() -> Iterator[Site]:
    """A site that answers at `site.url` until the block ends."""
    site = Site()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"site": site}))
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
