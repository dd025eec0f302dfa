"""Sites and a store on an emulated network: namespaces, shaped links, CPU shares. Linux, root.

    site's namespace ── veth, tbf both ways ── this process: relay (round trip) ── S3 server

Every byte of a site passes its veth and is counted there by the kernel. Names carry this process's
id; all is taken down at the end, also after Ctrl-C.
"""

from benchmarks.network.hosts import Link, Network, need_root
from benchmarks.network.sites import Site, interrupt_on_terminate

__all__ = ["Link", "Network", "Site", "interrupt_on_terminate", "need_root"]
