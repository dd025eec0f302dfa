"""A server of others, as a process: OpenAI's API on a port that its command line names.

`python stand_in.py --port N --pids FILE [--ready-after N] [--deaf] [--broken]`. It is 503 at
/health `--ready-after` times; `--deaf` ignores SIGTERM; it starts a child that sleeps; the prompt
"die" ends it in mid-answer.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--pids", required=True)
    parser.add_argument("--name", default="big")
    parser.add_argument("--ready-after", type=int, default=0)
    parser.add_argument("--deaf", action="store_true")
    parser.add_argument("--broken", action="store_true")
    return parser.parse_args()


class _Handler(BaseHTTPRequestHandler):
    options: argparse.Namespace
    protocol_version = "HTTP/1.1"
    asked = 0

    def log_message(self, *_: Any) -> None:
        pass

    def _send(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        type(self).asked += 1
        self._send(503 if self.asked <= self.options.ready_after else 200, {})

    def do_POST(self) -> None:
        key = f"Bearer {os.environ['STAND_IN_KEY']}"
        fields = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != key or fields["model"] != self.options.name:
            return self._send(401, {"error": {"message": "who are you"}})
        if not fields.get("stream"):
            choice = {"index": 0, "text": fields["prompt"].upper(), "finish_reason": "stop"}
            return self._send(200, {"id": "1", "object": "text_completion", "choices": [choice]})
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for _ in range(3):
            self._send_event({"choices": [{"index": 0, "text": "x", "finish_reason": None}]})
        if fields["prompt"] == "die":
            os._exit(3)
        self._send_event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")
        return None

    def _send_event(self, event: object) -> None:
        text = event if isinstance(event, str) else json.dumps(event)
        data = f"data: {text}\n\n".encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


def main() -> None:
    """Serve until told to end."""
    _Handler.options = options = _options()
    print("loading the weights", flush=True)
    if options.broken:
        sys.exit("no kernel image for this device")
    if options.deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    secrets = sorted(set(os.environ) & {"ARCHIPEL_SECRET", "DATABASE_URL"})
    with Path(options.pids).open("a") as file:
        file.write(json.dumps({"pids": [os.getpid(), child.pid], "secrets": secrets}) + "\n")
    ThreadingHTTPServer(("127.0.0.1", options.port), _Handler).serve_forever()


if __name__ == "__main__":
    main()
