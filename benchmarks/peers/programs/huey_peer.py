"""huey: a list per queue, a thread or process per worker."""

import common
from huey import RedisHuey

huey = RedisHuey("bench", url=common.URL)


@huey.task()
def noop(text: str) -> None:
    common.stamp(text)


@huey.task()
def nap(text: str) -> None:
    common.nap(text)


JOBS = {"noop": noop, "nap": nap}


def send_many(job: str, texts) -> None:
    for text in texts:
        JOBS[job](text)


def work(processes: int, threads: int) -> None:
    kind = "process" if processes > 1 else "thread"
    huey.create_consumer(workers=max(processes, threads), worker_type=kind, periodic=False).run()


if __name__ == "__main__":
    common.main(send=lambda job, text: JOBS[job](text), send_many=send_many, work=work)
