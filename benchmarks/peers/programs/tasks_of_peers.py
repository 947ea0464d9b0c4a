"""The jobs of ``common.py`` as Django's tasks. Workers find a task by its path in this module."""

import common
from django.tasks import task


@task
def noop(text: str) -> None:
    common.stamp(text)


@task
def nap(text: str) -> None:
    common.nap(text)


JOBS = {"noop": noop, "nap": nap}
