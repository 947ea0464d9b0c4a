"""dramatiq: its own command with processes and threads."""

import os
import sys

import common
import dramatiq
from dramatiq.brokers.redis import RedisBroker

dramatiq.set_broker(RedisBroker(url=common.URL))


@dramatiq.actor
def noop(text: str) -> None:
    common.stamp(text)


@dramatiq.actor
def nap(text: str) -> None:
    common.nap(text)


JOBS = {"noop": noop, "nap": nap}


def send_many(job: str, texts) -> None:
    for text in texts:
        JOBS[job].send(text)


def work(processes: int, threads: int) -> None:
    options = ["--processes", str(processes), "--threads", str(threads)]
    os.execv(sys.executable, [sys.executable, "-m", "dramatiq", "dramatiq_peer", *options])


if __name__ == "__main__":
    common.main(send=lambda job, text: JOBS[job].send(text), send_many=send_many, work=work)
