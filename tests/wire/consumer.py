"""A program that takes messages until the queue is empty: ``consumer.py <redis url> <queue> <count>``.

It prints ``ready``, waits for the first message, and takes up to ``count`` per call. At the end it prints
the messages that it took as JSON: [id, rc], …
"""

import json
import sys

from redis import Redis

from queueing.client import QueueClient


def consume(client: QueueClient, queue: str, count: int) -> list[tuple[str, int]]:
    taken = []
    while True:
        messages = client.receive_messages(queue, count, wait_seconds=0.2)
        taken += [(message.id, message.rc) for message in messages]
        client.delete_messages(queue, messages)
        if not messages and taken and not client.get_queue_attributes(queue).msgs:
            return taken


if __name__ == "__main__":
    url, queue, count = sys.argv[1:]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdout.write(json.dumps(consume(QueueClient(Redis.from_url(url)), queue, int(count))) + "\n")
