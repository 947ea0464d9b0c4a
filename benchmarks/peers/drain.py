"""Measures how fast a worker runs queued jobs: no-ops, and sleeps of 50 ms on 32 threads."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import median

import psutil

from benchmarks.table import note, say, show_table, with_range
from tests.support.program import Program
from tests.support.waiting import eventually

from .peer import Peer, Session, session

NAP_THREADS = 32
NAPS = 1_600
#: Jobs of 50 ms per second on that many threads, without any other cost.
CEILING = NAP_THREADS / 0.05


@dataclass(frozen=True, slots=True)
class Drained:
    """The figures of one worker that has run all queued jobs.

    ``rate`` is jobs per second, from the first job to the last. ``history_seconds`` is the time from the last
    job until all outcomes were in the database. For peers, it is ``None``, because they have no such history.

    ``cpu_us`` has three figures, each the CPU time per job: of the worker's busiest process, of all processes
    of the worker, and of Redis and PostgreSQL together. If other programs use the machine, CPU time is more
    reliable than the rate.
    """

    rate: float
    history_seconds: float | None
    cpu_us: tuple[float, float, float]


def drain(peer: Peer, job: str, jobs: int) -> Drained:
    with session(peer) as work:
        work.run("fill", job, jobs)
        with work.worker() as worker:
            work.wait_for(1, worker)
            before, begun = cpu_seconds(worker), work.server_seconds()
            from_job = work.count()
            work.wait_for_each(jobs, worker)
            after, ended = cpu_seconds(worker), work.server_seconds()
            ran = sorted(work.ran_ns(jobs).values())
            history = _history(work, ran[-1], worker) if peer.is_ours else None
        rate = (jobs - 1) / ((ran[-1] - ran[0]) / 1e9)
    used = [seconds - before.get(pid, 0.0) for pid, seconds in after.items()]
    each = 1e6 / max(1, jobs - from_job)
    return Drained(rate, history, (max(used) * each, sum(used) * each, (ended - begun) * each))


def cpu_seconds(worker: Program) -> dict[int, float]:
    """CPU seconds used so far by each process of a worker, with its ended children. Keys are process ids."""
    used: dict[int, float] = {}
    for process in worker.members():
        with suppress(psutil.NoSuchProcess):  # a process of one job
            used[process.pid] = sum(process.cpu_times()[:4])
    return used


def _history(work: Session, last_ns: int, worker: Program) -> float:
    """Wait until the outcomes of all jobs are in the database. Returns the seconds since the last job."""

    def is_complete() -> bool:
        # A settle takes a message from its queue and puts the outcome into the outbox in one step.
        return not work.redis.zcard("rsmq:bench") and not work.redis.xlen("rsmq::outbox")

    eventually(is_complete, within_seconds=120, of=worker, every_seconds=0.05)
    seconds = (time.monotonic_ns() - last_ns) / 1e9
    if lost := int(work.redis.hget("rsmq::outbox:stats", "lost") or 0):
        say(f"{work.peer.name}: {lost} outcomes did not fit into the outbox")
    return seconds


def show_drain(peers: Sequence[Peer], passes: int) -> None:
    taken = _alternate(peers, "noop", {peer.name: peer.jobs for peer in peers}, passes)
    _show(taken, {peer.name: peer.jobs for peer in peers})


def show_sleep(peers: Sequence[Peer], passes: int) -> None:
    taken = _alternate(peers, "nap", {peer.name: NAPS for peer in peers}, passes)
    titles = ["peer", "naps of 50 ms/s", "of the ceiling", "range"]
    rows = []
    for name, drained in taken.items():
        rates = [one.rate for one in drained]
        rows.append([name, f"{median(rates):,.0f}", f"{median(rates) / CEILING:.1%}", _range(rates)])
    show_table(titles, rows)


def _alternate(
    peers: Sequence[Peer], job: str, jobs: dict[str, int], passes: int
) -> dict[str, list[Drained]]:
    taken: dict[str, list[Drained]] = {peer.name: [] for peer in peers}
    for turn in range(passes):
        for peer in peers if turn % 2 == 0 else reversed(peers):
            drained = drain(peer, job, jobs[peer.name])
            taken[peer.name].append(drained)
            busiest, all_us, server_us = drained.cpu_us
            cpu = f"{busiest:.0f} / {all_us:.0f} / {server_us:.0f} µs"
            note(f"{peer.name}: {drained.rate:,.0f}/s; CPU of the busiest, all, the server: {cpu}")
    return taken


def _show(taken: dict[str, list[Drained]], jobs: dict[str, int]) -> None:
    rates = {name: [one.rate for one in drained] for name, drained in taken.items()}
    others = [median(r) for name, r in rates.items() if not name.startswith("ours")]
    fastest = max(others, default=0.0)
    rows = []
    for name, drained in taken.items():
        seconds = [one.history_seconds for one in drained if one.history_seconds is not None]
        rows.append(
            [
                name,
                f"{jobs[name]:,}",
                f"{median(rates[name]):,.0f}",
                _range(rates[name]),
                f"{median(rates[name]) / fastest:.2f}" if fastest else "",
                *(with_range(us, ".0f") for us in zip(*(one.cpu_us for one in drained), strict=True)),
                f"{median(seconds):.1f}" if seconds else "",
            ]
        )
    show_table(TITLES, rows)


TITLES = [
    "peer",
    "jobs",
    "jobs/s",
    "range",
    "of the fastest peer",
    "busiest process, µs/job",
    "all processes, µs/job",
    "Redis or PostgreSQL, µs/job",
    "history complete after, s",
]


def _range(rates: Sequence[float]) -> str:
    return f"{min(rates):,.0f} to {max(rates):,.0f}"
