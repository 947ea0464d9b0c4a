"""TCP ports of the loopback address."""

import socket
from errno import EADDRINUSE


def asked(port: int, request: bytes = b"") -> bytes | None:
    """Send ``request`` to a port, and return the beginning of the answer.

    Returns ``None`` if no program accepts the connection or answers. Without a ``request``, no answer is
    awaited, and ``b""`` is returned.
    """
    with socket.socket() as probe:
        probe.settimeout(1)
        try:
            probe.connect(("127.0.0.1", port))
            probe.sendall(request)
            return probe.recv(64) if request else b""
        except OSError:
            return None


def is_taken(port: int) -> bool:
    """Whether ``port`` is in use. Raises ``OSError`` if this process may not listen on the port."""
    if asked(port) is not None:
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


def first_free_port(start: int) -> int:
    return next(port for port in range(start, 65536) if not is_taken(port))
