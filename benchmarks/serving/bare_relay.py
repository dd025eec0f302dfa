"""The least that can stand before an engine: bytes copied from socket to socket, nothing read.

`python -m benchmarks.serving.bare_relay PORT` listens on a port of this host's loopback, which it
prints, and passes on to PORT until it is ended.
"""

import socket
import sys
import threading

_PIECE_BYTES = 1 << 16


def main() -> None:
    """Take connections, each with two threads."""
    to = int(sys.argv[1])
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(listening.getsockname()[1], flush=True)
        while True:
            client, _ = listening.accept()
            server = socket.create_connection(("127.0.0.1", to))
            for source, sink in ((client, server), (server, client)):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=_copy, args=(source, sink), daemon=True).start()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    while piece := source.recv(_PIECE_BYTES):
        sink.sendall(piece)
    sink.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    main()
