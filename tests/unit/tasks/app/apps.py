import os

from django.apps import AppConfig

from tests.support.ledger import LEDGER_VARIABLE, write


class TasksTestConfig(AppConfig):
    name = "tests.unit.tasks.app"
    label = "tests_tasks_app"

    def ready(self) -> None:
        from queueing.tasks.compat import signals

        signals.task_finished.connect(note_end)


def note_end(sender, task_result, **kwargs):
    """Leave a line in the ledger of a worker for each signal that a task has failed."""
    if LEDGER_VARIABLE in os.environ and task_result.status == "FAILED":
        errors = ",".join(error.exception_class_path.rpartition(".")[2] for error in task_result.errors)
        write(os.environ[LEDGER_VARIABLE], "failed", task_result.id, len(task_result.errors), errors)
