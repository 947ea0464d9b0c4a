"""celery: its own command with a pool of processes or threads. It has no backend for results."""

import common


def worker(processes: int, threads: int) -> list[object]:
    pool = ["threads", threads] if threads > 1 else ["prefork", processes]
    options = ["--loglevel", "WARNING", "--pool", pool[0], "--concurrency", pool[1]]
    return ["-m", "celery", "-A", "celery_peer", "worker", *options]


if __name__ == "__main__":
    common.become_worker(worker)

from celery import Celery  # noqa: E402

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


if __name__ == "__main__":
    common.main(send=lambda job, text: JOBS[job].delay(text), send_many=send_many)
