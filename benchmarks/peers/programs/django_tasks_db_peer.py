"""django-tasks-db: Django's tasks as rows in a database, here PostgreSQL. Its worker polls every second."""

import common
import django_peer

django_peer.configure("django_tasks_db", TASKS={"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}})

from django.core.management import call_command  # noqa: E402
from tasks_of_peers import JOBS  # noqa: E402


def send(job: str, text: str) -> None:
    JOBS[job].enqueue(text)


def send_many(job: str, texts) -> None:
    for text in texts:
        send(job, text)


def work(processes: int, threads: int) -> None:
    call_command("db_worker", verbosity=0)


if __name__ == "__main__":
    common.main(send=send, send_many=send_many, work=work, setup=django_peer.setup)
