"""A queue moves to another partition: what stays behind, and what a message keeps."""

from collections.abc import Callable, Iterator

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

import queueing
from queueing.client import QueueClient
from queueing.client.default import use_client
from queueing.client.relocation import STEP, Relocation, left_behind
from queueing.composition import batch, step
from queueing.exceptions import MessageTooLong
from queueing.messages import Draft
from queueing.policies import unique
from tests.support.redis_server import RedisServer

#: Wide enough that no test depends on the clocks of two servers.
HOUR_MS = 3_600_000


@pytest.fixture
def old(own_redis: Callable[..., RedisServer], settings) -> Iterator[QueueClient]:
    """The client of the partition where the queue was. It is on "eu" now."""
    default, eu = own_redis(), own_redis()
    settings.QUEUEING = {
        "URL": default.url,
        "PARTITIONS": {"eu": {"URL": eu.url}},
        "PLACES": {"mail": "eu"},
    }
    use_client(None)
    client = QueueClient(default.connect())
    client.create_queue("mail", vt=7, delay=0, maxsize=-1)
    yield client
    use_client(None)


@pytest.fixture
def new(old: QueueClient) -> QueueClient:
    return queueing.get_client().at(["mail"])


def move(queue: str = "mail") -> Relocation:
    return next(one for one in left_behind(queueing.get_client(), queue) if one.queue == queue)


def test_a_message_keeps_all_but_its_attempts(old: QueueClient, new: QueueClient):
    due_ms = old.now_ms() + HOUR_MS
    ids = old.send_messages(
        "mail",
        [
            "plain",
            Draft(body="later", due_ms=due_ms),
            Draft(body="first \udcff", headers={"a": "b"}, priority=9),
        ],
    )
    call_command("queues", "relocate", "mail")
    found = {message.id: message for message in new.peek_messages("mail")}
    assert {message.body for message in found.values()} == {"plain", "later", "first \udcff"}
    assert list(found)[0] == ids[2], "the priority puts it first"
    assert found[ids[2]].headers == {"a": "b"}
    assert found[ids[1]].due_ms == due_ms
    assert old.get_queue_attributes("mail").msgs == 0
    assert new.get_queue_attributes("mail").vt == 7


def test_the_receive_count_is_kept(old: QueueClient, new: QueueClient):
    id = old.send_message("mail", "text")
    old.receive_message("mail", vt=0)
    call_command("queues", "relocate", "mail")
    message = new.receive_message("mail", vt=0)
    assert (message.id, message.rc) == (id, 2)
    assert new.receive_message("mail").rc == 3


def test_a_queue_of_any_length_moves_in_order_with_its_dead_letters(old: QueueClient, new: QueueClient):
    ids = old.send_messages("mail", [str(number) for number in range(2 * STEP + 5)])
    old.create_queue("mail-dead")
    [dead] = old.send_messages("mail-dead", ["dead"])
    call_command("queues", "relocate", "mail")
    assert [message.id for message in new.receive_messages("mail", 1000)] == ids
    assert new.peek_message("mail-dead", dead)


def test_a_killed_move_is_repeated_without_a_second_message(old: QueueClient, new: QueueClient):
    ids = old.send_messages("mail", ["a", "b"])
    first = move()
    first.prepare()
    # Killed before it deletes: the messages are on both partitions, and one has run meanwhile.
    first._send([draft for draft, _ in first._read()])
    assert new.pop_message("mail").id == ids[0]
    call_command("queues", "relocate", "mail")
    assert [message.id for message in new.peek_messages("mail")] == [ids[1]]
    assert old.get_queue_attributes("mail").msgs == 0


def test_the_old_queue_gives_nothing_out_while_it_is_moved(old: QueueClient, new: QueueClient):
    old.send_message("mail", "text")
    move().prepare()
    assert old.receive_message("mail") is None


def test_members_of_batches_stay_for_the_old_workers(old: QueueClient, new: QueueClient, settings, capsys):
    use_client(old)
    batch([step("mail", "member")]).enqueue()
    use_client(None)
    [other] = old.send_messages("mail", ["other"])
    call_command("queues", "relocate", "mail")
    assert "1 message of chains and batches" in capsys.readouterr().out
    assert [message.id for message in new.peek_messages("mail")] == [other]
    assert old.receive_message("mail").body == "member", "it is not paused any more"


def test_messages_behind_many_members_move(old: QueueClient, new: QueueClient, settings, capsys):
    use_client(old)
    batch([step("mail", "member")] * (2 * STEP + 5)).enqueue()
    use_client(None)
    others = old.send_messages("mail", ["other"] * (STEP + 5))
    call_command("queues", "relocate", "mail")
    assert "405 messages of chains and batches stay" in capsys.readouterr().out
    assert [message.id for message in new.peek_messages("mail", count=1000)] == others
    assert old.get_queue_attributes("mail").msgs == 2 * STEP + 5


def test_an_older_request_does_not_replace_a_newer_one(old: QueueClient, new: QueueClient):
    headers = {unique.HEADER: f"until_started replace {32 * 'a'} key"}
    old.send_messages("mail", [Draft(body="older", headers=headers)])
    new.create_queue("mail")
    new.send_messages("mail", [Draft(body="newer", headers=headers)])
    call_command("queues", "relocate", "mail")
    assert [message.body for message in new.peek_messages("mail")] == ["newer"]
    assert old.get_queue_attributes("mail").msgs == 0


def test_a_message_stays_until_the_replicas_of_the_new_partition_have_it(
    old: QueueClient, new: QueueClient, settings
):
    old.send_message("mail", "text")
    settings.QUEUEING = {**settings.QUEUEING, "DURABLE": 1, "TIMEOUT": 0.3}
    with pytest.raises(CommandError, match="0 of 1 replicas"):
        call_command("queues", "relocate", "mail")
    assert old.get_queue_attributes("mail").msgs == 1


def test_a_move_between_two_addresses_of_one_redis_is_refused(old: QueueClient, settings):
    same = settings.QUEUEING["URL"].replace("127.0.0.1", "localhost")
    settings.QUEUEING = {**settings.QUEUEING, "PARTITIONS": {"eu": {"URL": same}}}
    old.send_message("mail", "text")
    with pytest.raises(CommandError, match="default and eu have the same namespace on the same Redis"):
        call_command("queues", "relocate", "mail", "--delete")
    assert old.receive_message("mail").body == "text"


def test_a_queue_does_not_move_away_from_its_dead_letters(old: QueueClient, new: QueueClient):
    old.create_queue("failures")
    old.set_redrive_policy("mail", 3, "failures")
    old.send_message("mail", "text")
    with pytest.raises(CommandError, match="go to failures, which is on the partition default"):
        call_command("queues", "relocate", "mail")
    assert old.receive_message("mail").body == "text"


def test_the_verb_names_a_queue_that_an_earlier_move_has_paused(
    old: QueueClient, new: QueueClient, settings, capsys
):
    old.send_message("mail", "text")
    call_command("queues", "relocate", "mail")
    assert "is paused on" not in capsys.readouterr().err
    settings.QUEUEING = {**settings.QUEUEING, "PLACES": {}}
    call_command("queues", "relocate", "mail")
    assert '"manage.py queues resume mail"' in capsys.readouterr().err


def test_a_message_that_the_new_queue_refuses_stays_and_the_others_move(old: QueueClient, new: QueueClient):
    new.create_queue("mail", maxsize=1024)
    [long, short] = old.send_messages("mail", ["x" * 2000, "short"])
    with pytest.raises(CommandError, match="too long"):
        call_command("queues", "relocate", "mail")
    assert [message.id for message in new.peek_messages("mail")] == [short]
    assert [message.id for message in old.peek_messages("mail")] == [long]
    with pytest.raises(MessageTooLong):
        move().step()


def test_the_empty_old_queue_is_deleted_only_if_asked(old: QueueClient, new: QueueClient, capsys):
    old.send_message("mail", "text")
    call_command("queues", "relocate", "mail")
    assert old.list_queues() == ["mail"]
    call_command("queues", "relocate", "mail", "--delete")
    assert old.list_queues() == []
    call_command("queues", "relocate", "mail")
    assert "No other partition has anything of mail." in capsys.readouterr().out
    with pytest.raises(CommandError, match="Name mail"):
        call_command("queues", "relocate", "mail-dead")


# --- redrive policy and retention -----------------------------------------------------------------------


@pytest.fixture
def with_policies(old: QueueClient) -> QueueClient:
    old.set_redrive_policy("mail", 3)
    old.set_retention("mail", 3600)
    old.send_message("mail", "text")
    return old


class Killed(BaseException):
    """Ends the move in the middle, as ``kill -9`` does."""


def test_a_move_that_is_killed_before_it_copies_the_policies_copies_them_when_it_is_repeated(
    with_policies: QueueClient, new: QueueClient, monkeypatch
):
    def kill(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        relocation = move()
        patch.setattr(relocation, "_copy", kill)
        with pytest.raises(Killed):
            relocation.prepare()
    assert new.list_queues() == ["mail"], "it is there, without the policy"
    call_command("queues", "relocate", "mail")
    policy = new.get_queue_policy("mail")
    assert (policy.max_receive_count, policy.retention_seconds) == (3, 3600)
    assert policy.dead_letter_queue == "mail-dead"


def test_a_queue_that_senders_have_made_on_the_new_partition_gets_the_policies(
    with_policies: QueueClient, new: QueueClient
):
    new.create_queue("mail")
    call_command("queues", "relocate", "mail")
    policy = new.get_queue_policy("mail")
    assert (policy.max_receive_count, policy.retention_seconds) == (3, 3600)


def test_a_queue_keeps_other_policies_on_the_new_partition_and_the_verb_names_them(
    with_policies: QueueClient, new: QueueClient, capsys: pytest.CaptureFixture[str]
):
    new.create_queue("mail")
    new.set_redrive_policy("mail", 7)
    new.set_retention("mail", 60)
    call_command("queues", "relocate", "mail")
    policy = new.get_queue_policy("mail")
    assert (policy.max_receive_count, policy.retention_seconds) == (7, 60)
    told = capsys.readouterr().err
    assert "The redrive policy of mail on eu stays as it is: it differs from that on default." in told
    assert "The retention of mail on eu stays as it is" in told
    assert new.pop_message("mail").body == "text"


#: Changes after the move: a method of the client, its arguments, and what the policy has then.
CHANGES = {
    "redrive policy deleted": ("delete_redrive_policy", (), (0, "", 3600)),
    "redrive policy changed": ("set_redrive_policy", (7,), (7, "mail-dead", 3600)),
    "retention deleted": ("set_retention", (None,), (3, "mail-dead", 0)),
    "retention changed": ("set_retention", (60,), (3, "mail-dead", 60)),
}


@pytest.mark.parametrize(("method", "values", "expected"), CHANGES.values(), ids=CHANGES)
def test_a_repeated_move_keeps_what_was_changed_on_the_new_partition_after_the_first(
    with_policies: QueueClient, new: QueueClient, capsys, method: str, values: tuple, expected: tuple
):
    call_command("queues", "relocate", "mail")
    getattr(new, method)("mail", *values)
    with_policies.send_message("mail", "late")
    call_command("queues", "relocate", "mail")
    policy = new.get_queue_policy("mail")
    assert (policy.max_receive_count, policy.dead_letter_queue, policy.retention_seconds) == expected
    assert "of mail on eu stays as it is" in capsys.readouterr().err


def test_a_repeated_move_keeps_attributes_and_a_pause_of_the_new_partition(
    with_policies: QueueClient, new: QueueClient
):
    call_command("queues", "relocate", "mail")
    new.set_queue_attributes("mail", vt=99)
    new.pause_queue("mail")
    call_command("queues", "relocate", "mail")
    assert (new.get_queue_attributes("mail").vt, new.get_queue_policy("mail").paused) == (99, True)


def test_a_queue_that_comes_back_after_it_was_deleted_gets_the_policies_again(
    with_policies: QueueClient, new: QueueClient
):
    call_command("queues", "relocate", "mail")
    new.delete_queue("mail")
    call_command("queues", "relocate", "mail")
    assert new.get_queue_policy("mail").max_receive_count == 3
