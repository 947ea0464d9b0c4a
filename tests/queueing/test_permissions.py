"""Users of Redis with fewer permissions than all: nothing is stored twice, and each lack has its sentence."""

import re

import pytest

from queueing.client import QueueClient
from queueing.conf import Conf
from queueing.connections import connect
from queueing.exceptions import QueueError, QueueRefused
from queueing.messages import Draft
from tests.servers.programs import ROOT
from tests.servers.redis_server import RedisServer


def documented_rule(heading: str) -> str:
    """The first indented or fenced rule after a heading of the page on Redis."""
    page = (ROOT / "docs" / "redis.md").read_text()
    found = re.search(rf"{heading}.*?```text\n(.*?)```", page, re.DOTALL)
    assert found, heading
    return " ".join(found[1].split())


@pytest.fixture
def server(own_redis) -> RedisServer:
    return own_redis()


@pytest.fixture
def admin(server: RedisServer):
    with server.connect() as connection:
        client = QueueClient(connection)
        client.create_queue("q")
        client.create_queue("other")
        yield client


@pytest.fixture
def user(server: RedisServer, admin: QueueClient):
    """Makes the client of a user with these rules: ``user("~*", "+@all")``."""
    made: list[QueueClient] = []

    def log_in(*rules: str) -> QueueClient:
        admin.redis.execute_command("ACL", "SETUSER", "app", "reset", "on", ">x", *rules)
        made.append(connect(Conf(URL=f"redis://app:x@127.0.0.1:{server.port}/0")))
        return made[-1]

    yield log_in
    for client in made:
        client.redis.close()


def bodies(admin: QueueClient, queue: str = "q") -> list[str]:
    return [message.body for message in admin.peek_messages(queue, count=100)]


#: A user as ``ACL SETUSER`` makes it: no channel, unless the rule names some.
NO_CHANNELS = ("~*", "resetchannels", "+@all")


def test_a_user_without_channels_sends_once(user, admin):
    client = user(*NO_CHANNELS)
    client.send_message("q", "one")
    client.send_messages("q", ["two", Draft(body="three", priority=3)])
    assert sorted(bodies(admin)) == ["one", "three", "two"]


def test_a_user_without_channels_moves_and_gives_back_and_steers(user, admin):
    client = user(*NO_CHANNELS)
    client.send_messages("q", ["one", "two"])
    assert client.move_messages("q", "other", count=1) == 1
    assert bodies(admin, "other") == ["one"]
    assert client.release_message("q", client.receive_message("q")) == 1
    assert client.receive_message("q").body == "two"
    client.pause_queue("q")
    assert not client.resume_queue("q").paused


def test_a_user_without_the_command_sends_once(user, admin):
    user("~*", "+@all", "-publish").send_message("q", "one")
    assert bodies(admin) == ["one"]


@pytest.mark.parametrize("command", ["hset", "zadd", "hincrby", "set", "zcard"])
def test_a_send_without_a_permission_is_refused_before_anything_is_stored(user, admin, command):
    before = admin.redis.dump("rsmq:q:Q")
    with pytest.raises(QueueRefused, match=r"docs/redis\.md"):
        user("~*", "&*", "+@all", f"-{command}").send_message("q", "one")
    assert admin.redis.dump("rsmq:q:Q") == before
    assert bodies(admin) == []


@pytest.mark.parametrize(
    "rules",
    [
        ("~*", "&*", "+@all", "-evalsha"),
        ("~other:*", "&*", "+@all"),
        ("~*", "&*", "+@all", "-unlink"),
    ],
    ids=["no scripts", "other keys", "a command of a script"],
)
def test_other_refusals_name_the_page_with_the_permissions(user, rules: tuple[str, ...]):
    with pytest.raises(QueueError, match=r"docs/redis\.md"):
        user(*rules).ping()
