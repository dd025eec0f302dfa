"""An upstream that answers at once, as a process: `python -m benchmarks.serving.upstream`.

Prints its URL, then serves until it is killed. An answer that is streamed has 100 pieces, sent one
by one; the model `held` waits 10 s after the first of them.
"""

import asyncio
import json

from aiohttp import web

_PIECES = 100
_HELD_SECONDS = 10.0


def _chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    head = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m"}
    return b"data: " + json.dumps({**head, "choices": [choice]}).encode() + b"\n\n"


_USED = {"prompt_tokens": 10, "completion_tokens": _PIECES, "total_tokens": 10 + _PIECES}
_BEGINNING = (_chunk({"role": "assistant", "content": ""}), _chunk({"content": "word "}))
_REST = (*[_chunk({"content": "word "})] * (_PIECES - 1), _chunk({}, "stop"))
_USAGE = b"data: " + json.dumps({"choices": [], "usage": _USED}).encode() + b"\n\n"
_DONE = b"data: [DONE]\n\n"
_WHOLE = {
    "id": "1",
    "object": "chat.completion",
    "created": 0,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "word " * _PIECES},
            "finish_reason": "stop",
        }
    ],
    "usage": _USED,
}


async def _chat(request: web.Request) -> web.StreamResponse:
    body = await request.json()
    if not body.get("stream"):
        return web.json_response(_WHOLE)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for event in _BEGINNING:
        await response.write(event)
    if body["model"] == "held":
        await asyncio.sleep(_HELD_SECONDS)
    for event in _REST:
        await response.write(event)
    if (body.get("stream_options") or {}).get("include_usage"):
        await response.write(_USAGE)
    await response.write(_DONE)
    await response.write_eof()
    return response


async def _serve() -> None:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", _chat)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    print(f"http://{host}:{port}/v1", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())
