"""A small reverse proxy with TLS, as docs/assistant-people.md asks for one: one name for both."""

import datetime
import re
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

NAME = "ai.localhost"  # browsers know it to be this machine
_SERVICE = re.compile(r"/(?:login|logout|me|admin|v1|health|openapi\.json)(?:/|$)")
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


@dataclass
class Proxy:
    """Where browsers reach it; and what it passes requests on to, which is said later."""

    url: str
    service: str = ""
    page: str = ""
    way: httpx.AsyncHTTPTransport = field(default_factory=httpx.AsyncHTTPTransport)  # keeps nothing

    @asynccontextmanager
    async def running(self, app: Starlette) -> AsyncIterator[None]:
        """With its connections to both, which are plain."""
        async with self.way:
            yield

    async def pass_on(self, request: Request) -> Response:
        """The request as it is, with its Host, and the answer piece by piece."""
        target = self.service if _SERVICE.match(request.url.path) else self.page
        query = f"?{request.url.query}" if request.url.query else ""
        sent = httpx.Request(
            request.method,
            f"{target}{request.scope['raw_path'].decode()}{query}",
            headers=request.headers.raw,
            content=await request.body(),
        )
        answer = await self.way.handle_async_request(sent)
        end = BackgroundTask(answer.aclose)
        response = StreamingResponse(answer.aiter_raw(), answer.status_code, background=end)
        response.raw_headers = answer.headers.raw
        return response


@contextmanager
def tls_proxy(folder: Path) -> Iterator[Proxy]:
    """The proxy for the time of the block."""
    key, certificate = _certificate(folder)
    sock = socket.create_server(("127.0.0.1", 0))
    proxy = Proxy(f"https://{NAME}:{sock.getsockname()[1]}")
    route = Route("/{path:path}", proxy.pass_on, methods=_METHODS)
    app = Starlette(routes=[route], lifespan=proxy.running)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            ws="none",
            timeout_graceful_shutdown=1,
            ssl_keyfile=key,
            ssl_certfile=certificate,
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
    thread.start()
    try:
        yield proxy
    finally:
        server.should_exit = True
        thread.join()


def _certificate(folder: Path) -> tuple[Path, Path]:
    """The files of a key and of what it has signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / "key.pem", folder / "certificate.pem"
    files[0].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    files[1].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return files
