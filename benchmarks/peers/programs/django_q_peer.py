"""django-q2 with its Redis broker. It stores the results of the last jobs in the database, here SQLite."""

import sys

import common
import django_peer

workers = int(sys.argv[2]) if sys.argv[1:2] == ["work"] else 1
options = {"name": "bench", "workers": workers, "redis": common.URL, "timeout": 60, "retry": 90}
django_peer.configure("django_q", Q_CLUSTER=options)

from django.core.management import call_command  # noqa: E402
from django_q.tasks import async_task  # noqa: E402


def send(job: str, text: str) -> None:
    async_task(f"common.{job}", text)


def send_many(job: str, texts) -> None:
    for text in texts:
        send(job, text)


def work(processes: int, threads: int) -> None:
    call_command("qcluster")


if __name__ == "__main__":
    common.main(send=send, send_many=send_many, work=work, setup=django_peer.setup)
