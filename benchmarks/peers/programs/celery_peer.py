"""celery: its own command with a pool of processes, without results as without a backend for them."""

import os
import sys

import common
from celery import Celery

app = Celery("celery_peer", broker=common.URL)
app.conf.broker_connection_retry_on_startup = True


@app.task(name="noop")
def noop(text: str) -> None:
    common.stamp(text)


@app.task(name="nap")
def nap(text: str) -> None:
    common.nap(text)


JOBS = {"noop": noop, "nap": nap}


def send_many(job: str, texts) -> None:
    for text in texts:
        JOBS[job].delay(text)


def work(processes: int, threads: int) -> None:
    pool = ["threads", threads] if threads > 1 else ["prefork", processes]
    options = ["--loglevel", "WARNING", "--pool", pool[0], "--concurrency", str(pool[1])]
    os.execv(sys.executable, [sys.executable, "-m", "celery", "-A", "celery_peer", "worker", *options])


if __name__ == "__main__":
    common.main(send=lambda job, text: JOBS[job].delay(text), send_many=send_many, work=work)
