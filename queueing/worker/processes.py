"""Processes of a worker: how to fork a process, wait for its end, and kill it with the programs that it has
started.

The project's code may also fork these processes (``os.fork``, ``multiprocessing``). Such a fork is a copy of
the worker's process, but not part of the worker. It gets Python's default signal handlers, and drops the
database connections of its parent. If the project's code returns to the worker's code in a fork, the fork
exits.
"""

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

import psutil
from django.db import connections

from queueing.broker import scripts
from queueing.client.default import connect
from queueing.conf import Config

from .shared_memory import Slot
from .stop_signals import STOP_SIGNALS, UNUSED_SIGNALS, do_nothing

logger = logging.getLogger("queueing.worker")


#: The exit code of a child that is replaced by a new one.
RECYCLED = 75
#: Stands for an exit code that other code in this process has already fetched.
UNSEEN = 256


def share_with_forks(config: Config) -> None:
    """Load the modules and scripts that each process needs, before the forks, so that the processes share the
    memory.

    From now on, the garbage collector ignores the present objects, because it would write to the shared
    pages. The collector is also enabled, because a project may have disabled it during the imports.
    """
    import encodings.idna  # noqa: F401  Python's look-up of a host needs it.

    from queueing.models import Identity  # Models need the app registry, other parts of this module do not.

    connect(config)
    for script in ("format", "claim", "settle", "extend"):
        scripts.load(script)
    # Django fills caches when it compiles its first query, which would take 2 MB in each process. Nothing
    # connects here. If there is no usable database, the recorder reports it.
    with suppress(Exception):
        rows = Identity.objects.filter(pk=1).values_list("token", flat=True)
        rows.query.get_compiler(rows.db).as_sql()
    gc.freeze()
    gc.enable()


def fork(life: Callable[[], int | None]) -> int:
    """Fork a process that runs ``life`` and exits. Returns its process id. Raises ``OSError``.

    Stop signals are blocked until the new process is ready for them.
    """
    held_back = STOP_SIGNALS | UNUSED_SIGNALS
    signal.pthread_sigmask(signal.SIG_BLOCK, held_back)
    try:
        pid = os.fork()
        if pid == 0:
            _live(life, held_back)
        return pid
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, held_back)


def _live(life: Callable[[], int | None], held_back: frozenset[signal.Signals]) -> NoReturn:
    """Run ``life`` and exit. No error may escape: the supervisor's code would handle it in the fork."""
    code = 1
    try:
        # Signals to the process group reach only the supervisor. A child and its programs are one session.
        os.setsid()
        # The signal handlers of the supervisor stay. They do nothing, but must not write into its pipe.
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, held_back)
        watch_forks()
        code = life() or 0
    except BaseException:
        logger.exception("process %d failed", os.getpid())
    finally:
        _leave(code)


def _leave(code: int) -> NoReturn:
    """Exit without the exit handlers (``atexit``), because they belong to the parent process."""
    try:
        logging.shutdown()
    finally:
        os._exit(code)


def ended(pid: int) -> int | None:
    """The exit code of a child process, negative if a signal killed it. ``None`` while the process runs, and
    ``UNSEEN`` if other code has fetched the exit code.
    """
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return UNSEEN
    return os.waitstatus_to_exitcode(status) if found else None


def reason(code: int) -> str:
    """Describe how a process with this exit code ended."""
    if code == UNSEEN:
        return "ended, and something else has taken its exit code"
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal has no name
        return f"was killed by signal {-code}"


def kill(pid: int) -> None:
    """Kill a process that leads a session, and all programs in the session."""
    programs = _descendants(pid)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    kill_programs(pid)
    for program in programs:
        with suppress(psutil.Error):
            program.kill()


def kill_programs(pid: int) -> None:
    """Kill the programs that are left in the session of a dead process."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


@dataclass
class ChildProcess:
    """The keeper's record of a child process."""

    name: str
    process: psutil.Process | None
    slot: Slot

    @property
    def is_gone(self) -> bool:
        try:
            return self.process is None or self.process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    def kill(self) -> None:
        with suppress(psutil.NoSuchProcess):
            if self.process and self.process.is_running():
                kill(self.process.pid)

    def kill_programs(self) -> None:
        """Kill the programs that the dead process has left running, if the process held a message.

        A process without a message has ended by itself, so its programs are left alone.
        """
        if self.process and self.slot.held:
            kill_programs(self.process.pid)

    @property
    def is_stopped(self) -> bool:
        """Whether the process is suspended (SIGSTOP).

        A suspended process cannot work, so it must not keep its messages.
        """
        try:
            return self.process is not None and self.process.status() == psutil.STATUS_STOPPED
        except psutil.NoSuchProcess:
            return False


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except (psutil.Error, OSError):
        return []


#: The exit code of a fork that ended with an error.
RAISED = 1


class _Thread(threading.local):
    """The event loop that a thread runs, and the signal mask that the thread had before a fork."""

    loop: asyncio.AbstractEventLoop | None = None
    mask: Collection[int] = ()


_thread = _Thread()
_is_fork = False
#: The inherited database connections. To close one would end it for the parent, too.
_abandoned: list[object] = []


def watch_forks() -> None:
    """From now on, treat each fork of this process as a fork by the project's code."""
    os.register_at_fork(
        before=_hold_signals_back, after_in_parent=_let_signals_through, after_in_child=_become_fork
    )


def watch_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Remember that this thread runs ``loop``."""
    _thread.loop = loop


def end_if_fork(error: BaseException | None = None) -> None:
    """If this process was forked by the project's code, exit as Python does at the end of a program.

    With ``error``, exit as Python does when this exception ends a program. This function is called each time
    that code of the project returns, before anything is written to shared files or connections.
    """
    if _is_fork:
        _end(error)


def end_pools(seconds: float) -> None:
    """End the process pools and daemonic processes that handlers have left running, as Python does at exit.

    A child process of the worker skips that part of Python's exit. Without this function, the processes of a
    pool could wait for each other for ever. Waits at most ``seconds`` for calls that still run in a pool.
    """
    # Both modules offer these functions only to atexit. A module that is not imported has no pools.
    executors: Any = sys.modules.get("concurrent.futures.process")
    pools: Any = sys.modules.get("multiprocessing.util")
    if not (executors or pools):
        return

    def end() -> None:
        if executors:
            executors._python_exit()
        if pools:
            pools._exit_function(active_children=_daemons)

    ending = threading.Thread(target=end, name="end of pools", daemon=True)
    ending.start()
    ending.join(seconds)


def _daemons() -> list[Any]:
    """The daemonic processes that this process has started, without those that the supervisor started before
    the fork.
    """
    processes = sys.modules["multiprocessing"].active_children()
    return [process for process in processes if process.daemon and process._parent_pid == os.getpid()]


def _hold_signals_back() -> None:
    """Block signals before a fork, so that the new process loses no signal before its handlers are set."""
    _thread.mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS | UNUSED_SIGNALS)


def _let_signals_through() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _thread.mask)


def _become_fork() -> None:
    global _is_fork
    _is_fork = True
    _take_default_signals()
    _let_signals_through()
    _abandon_connections()
    if _thread.loop is not None:
        _stop(_thread.loop)


def _take_default_signals() -> None:
    for number in signal.valid_signals():
        if signal.getsignal(number) is do_nothing:
            is_interrupt = number == signal.SIGINT
            signal.signal(number, signal.default_int_handler if is_interrupt else signal.SIG_DFL)


def _abandon_connections() -> None:
    for connection in connections.all(initialized_only=True):
        pools = getattr(connection, "_connection_pools", None)
        _abandoned.append((connection, dict(pools or {})))
        if pools:
            pools.clear()
        del connections[connection.alias]


def _stop(loop: asyncio.AbstractEventLoop) -> None:
    """Stop the fork's copy of the parent's event loop, so that it runs no task.

    If the code in the fork awaits something, the fork exits with an error.
    """
    for handle in list(getattr(loop, "_ready", ())):
        handle.cancel()
    loop.call_soon(_end, RuntimeError("A fork of an async function cannot await: the loop is its parent's."))


def _end(error: BaseException | None) -> None:
    code: object = RAISED if error else 0
    if isinstance(error, SystemExit):
        code = error.code or 0
    try:
        if not isinstance(error, SystemExit | None):
            sys.stderr.write("".join(traceback.format_exception(error)))
        elif not isinstance(code, int):
            sys.stderr.write(f"{code}\n")
        sys.stderr.flush()
    finally:
        os._exit(code & 0xFF if isinstance(code, int) else RAISED)
