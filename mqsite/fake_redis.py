"""``python -m mqsite.fake_redis PORT``: a Redis in memory on loopback, until it is killed."""

import sys

from fakeredis import TcpFakeServer


def main() -> None:
    with TcpFakeServer(("127.0.0.1", int(sys.argv[1]))) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
