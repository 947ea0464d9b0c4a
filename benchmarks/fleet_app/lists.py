"""A worker without a queue system: it takes texts from Redis lists and sleeps as the handlers do.

A text is lost if this process dies. It shows what waking a process and handing it a text costs at the least.
"""

import os
import sys

import redis

from .handlers import work


def main() -> None:
    connection = redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True, socket_timeout=None)
    sys.stdout.write("worker of lists\n")
    sys.stdout.flush()
    while True:
        _, text = connection.blpop(sys.argv[1:], timeout=0)
        work(text)


if __name__ == "__main__":
    main()
