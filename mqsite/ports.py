"""Which TCP ports of the loopback address are free."""

import socket
from errno import EADDRINUSE


def is_taken(port: int) -> bool:
    """Whether something listens at ``port``. Raises ``OSError`` where listening there is forbidden."""
    if answers(port):
        return True
    with socket.socket() as probe:
        # Connections of an earlier program that are still closing do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == EADDRINUSE:
                return True
            raise
    return False


def answers(port: int) -> bool:
    """Whether a connection to ``port`` is accepted."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def first_free_port(start: int) -> int:
    """The first free one from ``start`` upwards."""
    return next(port for port in range(start, 65536) if not is_taken(port))
