"""Staged messages with ``DURABLE``: a row stays until a replica has its message."""

import pytest

import queueing
from queueing.client.default import connect, use_client
from queueing.conf import Config
from queueing.models import StagedMessage
from queueing.transactional import staging
from queueing.worker.relay import Relay
from tests.support.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_message_that_no_replica_confirms_is_sent_once_and_its_row_waits_for_one(own_redis, settings):
    settings.QUEUEING = {**settings.QUEUEING, "RELAY_DATABASES": ["default"]}
    staging._away_until.get()[0] = 0.0
    primary, replica = own_redis(), own_redis()
    client = connect(Config(URL=primary.url, TIMEOUT=1, DURABLE=1))
    client.create_queue("letters")
    use_client(client)
    try:
        queueing.send_message("letters", "a", via="database")
        assert StagedMessage.objects.count() == 1
        assert client.get_queue_attributes("letters").totalsent == 1
        with replica.connect() as connection:
            connection.replicaof("127.0.0.1", str(primary.port))
            eventually(lambda: connection.info("replication")["master_link_status"] == "up")
            relay = Relay(client, ["default"], name="relay")
            eventually(lambda: relay.step() >= 0 and not StagedMessage.objects.exists())
            assert connection.hlen("rsmq:letters:Q") > 0
        assert client.get_queue_attributes("letters").totalsent == 1
    finally:
        use_client(None)
        client.redis.close()
