from queueing.tasks import task

from .stamps import stamp


@task
def nothing(number):
    stamp()
