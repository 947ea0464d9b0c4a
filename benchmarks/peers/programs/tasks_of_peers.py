"""The jobs of ``common.py`` as tasks of Django, which finds a task by the path of its function."""

import common
from django.tasks import task


@task
def noop(text: str) -> None:
    common.stamp(text)


@task
def nap(text: str) -> None:
    common.nap(text)


JOBS = {"noop": noop, "nap": nap}
