"""A process that has imported what ``manage.py`` imports, and forks one program per order.

Most of the CPU time of a short program goes into the imports of Django, redis-py and others. A fork has them
already. Everything that depends on the settings still happens in the fork, in the code of ``manage.py``.

``python -m tests.support.warm_start FD``: orders come from the socket FD. Its end ends this process.
"""

import ctypes
import gc
import importlib
import json
import os
import runpy
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

#: The longest order, in bytes.
ORDER_BYTES = 200_000
#: Modules that do not read the settings when they are imported.
MODULES = (
    *(
        "django.contrib.admin.apps",
        "django.contrib.staticfiles.handlers",
        "django.core.cache.backends.locmem",
    ),
    *("django.core.management", "django.db.backends.sqlite3.base", "django.db.migrations.loader"),
    *("axes.exceptions", "dj_database_url", "encodings.idna", "redis", "whitenoise.runserver_nostatic"),
    *("queueing.checks", "queueing.tasks.options", "queueing.tasks.route", "queueing.worker.child"),
    *("queueing.worker.heartbeat", "queueing.worker.reaper", "queueing.worker.scheduler"),
)


def main() -> None:
    channel = socket.socket(fileno=int(sys.argv[1]))
    gc.disable()
    for name in MODULES:
        importlib.import_module(name)
    gc.freeze()
    gc.enable()
    order, files = _next_order(channel)
    _become(channel, files=files, **order)


def _next_order(channel: socket.socket) -> tuple[dict, list[int]]:
    """Serve all orders. Returns only in a fork, with its order and its three standard files."""
    while True:
        data, files, _, _ = socket.recv_fds(channel, ORDER_BYTES, 3)
        if not data:
            os._exit(0)
        # The end of the process between hands the new one over to the tests (see ``WarmPopen``).
        between = os.fork()
        if between == 0:
            if os.fork() == 0:
                return json.loads(data), list(files)
            os._exit(0)
        os.waitpid(between, 0)
        for file in files:
            os.close(file)
        channel.send(b"handed over")


def _become(
    channel: socket.socket,
    args: Sequence[str],
    env: Mapping[str, str],
    cwd: str,
    renamed: Mapping[str, str],
    files: Sequence[int],
) -> None:
    os.setsid()
    for name, value in renamed.items():
        _overwrite(name, value)
    # Only now, because tests find a process to kill by its session or by its mark.
    channel.send(str(os.getpid()).encode())
    channel.close()
    os.chdir(cwd)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(env)
    script, sys.argv = args[0], list(args)
    sys.path[0] = str(Path(script).parent)
    runpy.run_path(script, run_name="__main__")


def _overwrite(name: str, value: str) -> None:
    """Change a variable in the memory that ``/proc/PID/environ`` shows. The length must stay."""
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_void_p
    ctypes.memmove(getenv(name.encode()), value.encode(), len(value))


if __name__ == "__main__":
    main()
