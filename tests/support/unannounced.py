"""A send as npm's rsmq does it without ``realtime``: nothing is published."""

import redis

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def send_unannounced(connection: redis.Redis, queue: str, body: str) -> str:
    """Send a message of the namespace ``rsmq``. Returns its id."""
    seconds, micros = connection.time()
    now_us, text = seconds * 1_000_000 + micros, ""
    rest = now_us
    while rest:
        rest, digit = divmod(rest, 36)
        text = DIGITS[digit] + text
    message_id = text + f"{now_us:022d}"
    pipeline = connection.pipeline()
    pipeline.zadd(f"rsmq:{queue}", {message_id: now_us // 1000})
    pipeline.hset(f"rsmq:{queue}:Q", message_id, body)
    pipeline.hincrby(f"rsmq:{queue}:Q", "totalsent", 1)
    pipeline.execute()
    return message_id
