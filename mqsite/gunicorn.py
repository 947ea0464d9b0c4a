"""Gunicorn as Heroku sets it for Python. ``PORT`` and ``WEB_CONCURRENCY`` are read by Gunicorn itself."""

import os

worker_class = "gthread"
threads = 5
# Seconds. A router gives up after 30; a stopping one has to be done before it is killed.
timeout = 20
graceful_timeout = 20
# Longer than the router's own 90, or it sends a request into a connection that is just closing.
keepalive = 95
accesslog = "-"
# Each process opens its own connections, and a new release is not held up by an old master.
preload_app = False
# Django decides whom to believe (TRUST_PROXY).
secure_scheme_headers: dict[str, str] = {}
control_socket_disable = True


def on_starting(server: object) -> None:
    """Say once what is missing, before any worker process is started for it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mqsite.settings")
    from mqsite.startup import require_variables

    require_variables()
