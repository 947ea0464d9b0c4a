"""Sends of one text without options, whose command is packed without the general way."""

import pytest
from hiredis import pack_command

from queueing.broker.idempotency import Senders
from queueing.broker.keys import Keys
from queueing.broker.rsmq_values import encode
from queueing.client import drafts
from queueing.handlers import handler, policy
from queueing.policies import unique


@pytest.mark.parametrize("text", ["", "plain", "100 % %b %d", "é😀", "line\r\n$3\r\nend", "\ud800 \udcff"])
@pytest.mark.parametrize("namespace", ["rsmq", "{ns}", "100%b"])
def test_the_packed_command_is_that_of_the_general_way(namespace, text):
    keys, sending = Keys(namespace), Senders().next_call(1)
    made = drafts.TextSend(keys, "q").call(sending, text)
    general = drafts.put(
        "send", keys, "q", [text], tails=sending.tails, key=keys.sender(sending.token),
        own=(sending.number, sending.REMEMBERED_MS),
    )  # fmt: skip
    words = [encode(part) if isinstance(part, str) else part for part in general.command(whole=False)]
    assert made.packed == pack_command(tuple(words))
    assert [str(part) for part in made.args] == [str(part) for part in general.args]
    assert made.keys == general.keys


def test_a_handler_that_becomes_unique_is_noticed_by_the_next_send(any_client):
    any_client.create_queue("q")
    any_client.send_message("q", "text")
    policy(unique="until_done")(handler("q")(lambda message: None))
    id = any_client.send_message("q", "text")
    assert unique.HEADER in any_client.peek_message("q", id).headers
