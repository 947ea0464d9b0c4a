"""Common part of the Python peers: the jobs, and the verbs of a peer's program.

A program sends and runs two jobs, each with one text of 100 characters that is a number: ``noop`` stamps
it, ``nap`` sleeps 50 ms before. Its verbs are those of ``main``. It runs in the environment of the peers
and must not import anything of the project.
"""

import os
import sys
import time
from collections.abc import Callable, Sequence

URL = os.environ["PEER_REDIS_URL"]
#: The address of a PostgreSQL, for a peer that needs one.
DATABASE_URL = os.environ.get("PEER_DATABASE_URL", "")
NAP_SECONDS = 0.05
#: Jobs per bulk call, if the program has such calls.
BATCH = 1000

_stamps = os.open(os.environ["PEER_STAMPS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def body(number: int) -> str:
    return f"{number:0100d}"


def stamp(text: str) -> None:
    """Record when this job ran: a line of 30 bytes in one write, so that several processes can write."""
    os.write(_stamps, f"{text[-8:]} {time.monotonic_ns():020d}\n".encode())


#: Its name as a job.
noop = stamp


def nap(text: str) -> None:
    time.sleep(NAP_SECONDS)
    stamp(text)


async def async_nap(text: str) -> None:
    import asyncio  # A worker that is started by another program need not wait for this import.

    await asyncio.sleep(NAP_SECONDS)
    stamp(text)


def become_worker(command: Callable[[int, int], Sequence[object]]) -> None:
    """If the verb is ``work``, replace this program by ``python`` with the arguments that ``command`` returns
    for the numbers of processes and threads.

    Call it before the imports of the peer: the worker imports the same, and a start would count both.
    """
    if sys.argv[1:2] == ["work"]:
        arguments = command(*map(int, sys.argv[2:4]))
        os.execv(sys.executable, [sys.executable, *map(str, arguments)])


def main(
    *,
    send: Callable[[str, str], object],
    send_many: Callable[[str, Sequence[str]], object],
    work: Callable[[int, int], object] | None = None,
    setup: Callable[[], object] = lambda: None,
) -> None:
    """Run the verb of the command line.

    ``setup``; ``fill JOB COUNT``; ``rate single|bulk COUNT`` prints the seconds it took; ``pace COUNT
    SECONDS`` sends a ``noop`` every SECONDS and prints the ns before each; ``work PROCESSES THREADS``.
    """
    verb, *args = sys.argv[1:]
    if verb == "setup":
        setup()
    elif verb == "fill":
        _send_all(send_many, args[0], range(int(args[1])))
    elif verb == "rate":
        _rate(args[0], int(args[1]), send, send_many)
    elif verb == "pace":
        _pace(int(args[0]), float(args[1]), send)
    elif verb == "work" and work:
        work(*map(int, args))


def _send_all(send_many: Callable[[str, Sequence[str]], object], job: str, numbers: range) -> None:
    for start in range(0, len(numbers), BATCH):
        send_many(job, [body(number) for number in numbers[start : start + BATCH]])


def _rate(
    how: str,
    count: int,
    send: Callable[[str, str], object],
    send_many: Callable[[str, Sequence[str]], object],
) -> None:
    for number in range(100):
        send("noop", body(number))
    started = time.perf_counter()
    if how == "bulk":
        _send_all(send_many, "noop", range(count))
    else:
        for number in range(count):
            send("noop", body(number))
    print(time.perf_counter() - started)  # noqa: T201


def _pace(count: int, seconds: float, send: Callable[[str, str], object]) -> None:
    sent_ns = []
    start = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, start + number * seconds - time.monotonic()))
        sent_ns.append(time.monotonic_ns())
        send("noop", body(number))
    print(*sent_ns)  # noqa: T201
