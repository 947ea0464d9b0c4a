"""dramatiq: its own command with processes and threads."""

import common


def worker(processes: int, threads: int) -> list[object]:
    return ["-m", "dramatiq", "dramatiq_peer", "--processes", processes, "--threads", threads]


if __name__ == "__main__":
    common.become_worker(worker)

import dramatiq  # noqa: E402
from dramatiq.brokers.redis import RedisBroker  # noqa: E402

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


if __name__ == "__main__":
    common.main(send=lambda job, text: JOBS[job].send(text), send_many=send_many)
