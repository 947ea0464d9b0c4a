"""The options of ``manage.py runworker``."""

import pytest
from django.core.management import CommandError, call_command


def test_a_named_queue_without_handler_stops_the_worker_with_a_sentence(shared_client):
    with pytest.raises(CommandError, match=r'@handler\("nowhere"\)'):
        call_command("runworker", "nowhere")


@pytest.mark.parametrize("option", ["--processes", "--threads"])
def test_a_worker_needs_at_least_one_of_each(option):
    with pytest.raises(CommandError):
        call_command("runworker", option, "0")
