"""The admin on a queue in fakeredis, or on a Redis that is away, seen by people with different rights."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from queueing.client import QueueClient
from queueing.client.default import use_client

from .partitions import servers

__all__ = ["servers"]


@pytest.fixture
def queue(fake_client: QueueClient) -> Iterator[QueueClient]:
    """The client of the process, with one queue in it."""
    fake_client.create_queue("testqueue")
    use_client(fake_client)
    yield fake_client
    use_client(None)


@pytest.fixture
def staff(db: Any) -> Callable[..., Client]:
    """Logs in a member of staff with these permissions: ``staff("view_queue")``."""

    def log_in(*codenames: str) -> Client:
        user = User.objects.create_user("staff", is_staff=True)
        user.user_permissions.set(
            Permission.objects.filter(content_type__app_label="queueing", codename__in=codenames)
        )
        assert user.user_permissions.count() == len(codenames)
        browser = Client()
        browser.force_login(user)
        return browser

    return log_in


@pytest.fixture
def boss(db: Any, settings: Any) -> Client:
    """Logged in with every right, on a console that offers all of its pages."""
    settings.QUEUEING = {**settings.QUEUEING, "RELAY_DATABASES": ["default"]}
    browser = Client()
    browser.force_login(User.objects.create_superuser("boss"))
    return browser
