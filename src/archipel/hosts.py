"""Names and addresses of machines."""

import ipaddress

LOCAL_HOSTS = ["localhost", "127.0.0.1", "[::1]"]  # this machine, as a Host header has it


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address, is this machine itself."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
