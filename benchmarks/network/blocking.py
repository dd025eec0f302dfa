"""A peer for the links benchmark: one blocking exchange of a whole model, run inside a site's host.

`python -m benchmarks.network.blocking URL BYTES TIMES` prints the seconds of each exchange: BYTES
go up while as many come down, as in a ring, but without the ring's waiting for its neighbours.
"""

import sys
import threading
import time

from archipel.store import Store


def main() -> None:
    """Measure and print one line of seconds for each exchange."""
    url, bytes_, times = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    up, down = Store(url), Store(url)
    up.put("theirs", bytes(bytes_))
    for _ in range(times):
        began = time.monotonic()
        sending = threading.Thread(target=up.put, args=("ours", bytes(bytes_)))
        sending.start()
        down.get("theirs")
        sending.join()
        print(time.monotonic() - began)


if __name__ == "__main__":
    main()
