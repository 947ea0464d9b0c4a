from django.apps import AppConfig


class TasksTestConfig(AppConfig):
    name = "tests.tasks.app"
    label = "tests_tasks_app"
