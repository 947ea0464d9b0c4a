"""The common part of the Python peers: the two jobs, and the command line of a peer's program.

A program sends and runs these jobs. Their only argument is the number of the job, as a text of 100 digits.
``noop`` records that it runs, and ``nap`` sleeps for 50 ms before that. ``main`` explains the command line.

The program runs in the environment of the peers, so it must not import any module of the project.
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
    """Append the job's number and the present time to the file of stamps.

    Each stamp is a line of 30 bytes in a single write, so that several processes can append.
    """
    os.write(_stamps, f"{text[-8:]} {time.monotonic_ns():020d}\n".encode())


#: The job ``noop`` does nothing else.
noop = stamp


def nap(text: str) -> None:
    time.sleep(NAP_SECONDS)
    stamp(text)


async def async_nap(text: str) -> None:
    import asyncio  # A worker that is started by another program need not wait for this import.

    await asyncio.sleep(NAP_SECONDS)
    stamp(text)


def become_worker(command: Callable[[int, int], Sequence[object]]) -> None:
    """If the verb of the command line is ``work``, replace this process by the worker.

    ``command`` gets the numbers of processes and threads, and returns the arguments for ``python``. Call this
    function before importing the peer. Otherwise, the peer would be imported twice before the worker runs,
    and the benchmark of starts would count both.
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
    """Run the command line, which is one of these:

    - ``setup`` prepares the peer.
    - ``fill JOB COUNT`` sends COUNT jobs in bulk.
    - ``rate single|bulk COUNT`` sends COUNT ``noop`` jobs, and prints how many seconds this took.
    - ``pace COUNT SECONDS`` sends a ``noop`` every SECONDS, and prints the time before each send in ns.
    - ``work PROCESSES THREADS`` runs a worker.
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
