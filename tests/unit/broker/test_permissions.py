"""Users of Redis with fewer permissions than all: nothing is stored twice, and each lack has its sentence."""

import re

import pytest

from queueing.broker.pubsub import Listener
from queueing.broker.scripts import FOLDER
from queueing.client import QueueClient, rsmq, sweep
from queueing.client.default import connect
from queueing.conf import Config
from queueing.exceptions import QueueError, QueueRefused, QueueUnavailable
from queueing.messages import Draft
from tests.support.programs import ROOT
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually


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
        admin.redis.execute_command("ACL", "SETUSER", "app", "reset", "resetchannels", "on", ">x", *rules)
        made.append(connect(Config(URL=f"redis://app:x@127.0.0.1:{server.port}/0")))
        return made[-1]

    yield log_in
    for client in made:
        client.redis.close()


@pytest.fixture
def _can_ask_for_permissions(server: RedisServer) -> None:
    """A script can ask for its user's permissions from Redis 7 on, as the page on Redis explains."""
    with server.connect() as connection:
        if int(connection.info("server")["redis_version"].split(".")[0]) < 7:
            pytest.skip("needs a Redis 7 or later: the tests run on an older one by REDIS_SERVER")


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


@pytest.mark.usefixtures("_can_ask_for_permissions")
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


def warnings_of(caplog: pytest.LogCaptureFixture, about: str) -> list[str]:
    return [record.message for record in caplog.records if about in record.message]


def test_a_receive_that_may_not_listen_polls_and_logs_it_once(user, admin, caplog, monkeypatch):
    monkeypatch.setattr(rsmq, "POLL_SECONDS", 0.1)
    client = user("~*", "&*", "+@all", "-subscribe")
    for text in ("one", "two"):
        admin.send_message("q", text, delay_ms=300)
        assert [message.body for message in client.receive_messages("q", wait_seconds=10)] == [text]
    eventually(lambda: warnings_of(caplog, "SUBSCRIBE"))
    [warning] = warnings_of(caplog, "SUBSCRIBE")
    assert "poll" in warning


def test_a_listener_that_may_not_listen_logs_it_once_and_tries_again_later(user, caplog, monkeypatch):
    listener = Listener(user("~*", "&*", "+@all", "-subscribe").session, ["q"])
    assert not listener.start()
    assert not listener.start()
    assert len(warnings_of(caplog, "SUBSCRIBE")) == 1
    user("~*", "&*", "+@all")
    listener._refused_until = 0.0
    assert listener.start()
    listener.close()


def test_a_sweep_without_scan_names_the_part_that_it_leaves_out(user, admin):
    client = user("~*", "&*", "+@all", "-scan")
    assert client.sweep_queue("q").orphans == 0
    with pytest.raises(QueueError, match="SCAN.*not tidied up") as caught:
        sweep.sweep_lost_queues(client.session)
    assert not isinstance(caught.value, QueueUnavailable)


def test_without_info_the_eviction_policy_is_unknown(user):
    assert user("~*", "&*", "+@all", "-info").session.eviction_policy() is None


def test_the_documented_rule_of_a_sender_is_enough_to_send(user, admin):
    client = user(*documented_rule("A process that only sends").split())
    client.send_message("q", "one")
    draft = Draft(body="two", priority=3, headers={"a": "b"}, deduplication_id="d")
    client.send_messages("q", [draft, draft])
    assert sorted(bodies(admin)) == ["one", "two"]
    # redis-py introduces itself to servers that know the command, and is content with a refusal.
    assert [
        entry["object"] for entry in admin.redis.acl_log() if not entry["object"].startswith("client")
    ] == []


@pytest.mark.usefixtures("_can_ask_for_permissions")
def test_a_user_is_asked_for_the_permissions_that_it_lacks(user, admin):
    rules = documented_rule("### Worker").split()
    assert user(*rules).session.refused_commands() == []
    assert user(*rules, "-xadd", "-publish").session.refused_commands() == ["PUBLISH", "XADD"]
    assert user(*NO_CHANNELS).session.refused_commands() == ["PUBLISH"]


def test_the_documented_rule_of_a_worker_names_every_command_of_the_scripts():
    sources = "".join(path.read_text() for path in FOLDER.rglob("*.lua"))
    used = set(re.findall(r"redis\.p?call\('([A-Z]+)'", sources))
    permitted = {word.removeprefix("+").upper() for word in documented_rule("### Worker").split()}
    assert used
    assert used <= permitted
