"""The configuration of Gunicorn.

Gunicorn itself reads the variables ``WEB_CONCURRENCY`` and ``PORT``. Heroku sets ``PORT``.
"""

import os
import socket
import time
from contextlib import suppress

from gunicorn.workers.gthread import TConn, ThreadWorker

#: How long a client may take to send its whole request, headers and body. The site has small forms only.
READ_SECONDS = 5.0


class ReadDeadlineWorker(ThreadWorker):
    """Gunicorn's threaded worker with a deadline for reading a request.

    A client that sends a request byte by byte would block one of the few threads for ever. After the
    deadline, the socket is closed for reading, so the thread reads the end of the stream. A response that is
    being written is not affected.
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._read_by: dict[TConn, float] = {}

    def handle(self, conn: TConn) -> object:
        """Handle one request in a thread of the pool, with a deadline for reading it."""
        self._read_by[conn] = time.monotonic() + READ_SECONDS
        try:
            return super().handle(conn)
        finally:
            del self._read_by[conn]

    def notify(self) -> None:
        """Close the sockets of overdue requests for reading.

        Gunicorn's main loop calls this method at least once a second.
        """
        super().notify()
        now = time.monotonic()
        for conn, read_by in list(self._read_by.items()):
            if now > read_by:
                with suppress(OSError):  # It has ended meanwhile.
                    conn.sock.shutdown(socket.SHUT_RD)


worker_class = ReadDeadlineWorker
threads = 5
# Seconds. A router gives up after 30, and a stopping process is then killed.
timeout = 20
graceful_timeout = 20
# Longer than the router's 90 seconds: otherwise the router could use a connection that is being closed.
keepalive = 95
accesslog = "-"
# Each process opens its own connections, and a reload imports the new code.
preload_app = False
# Django decides whether the headers of a proxy are trusted (TRUST_PROXY).
secure_scheme_headers: dict[str, str] = {}
control_socket_disable = True
# In memory if possible: a container may be read-only, without a folder for temporary files.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def on_starting(server: object) -> None:
    """Exit with a sentence for each missing or wrong variable, before the first worker process starts."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mqsite.settings")
    from mqsite.startup import require_variables

    require_variables()
