"""``python -m mqsite.devserver.fake_redis PORT``: an in-memory Redis on loopback.

It runs until it is killed.
"""

import sys
from typing import Any

from fakeredis import TcpFakeServer
from redis import ResponseError

#: The reply to INFO, with the part that the worker reads. The in-memory Redis evicts no keys.
INFO = b"# Memory\r\nmaxmemory_policy:noeviction\r\n"


def answering_errors(handler_class: type) -> type:
    """Return a subclass of ``handler_class`` that replies with an error if a command fails.

    ``handler_class`` closes the connection instead. Scripts need the error: a client calls a script by its
    digest, and sends the script itself when the server replies that it does not know the digest.
    INFO, which fakeredis lacks, gets a fixed reply.
    """

    class Handler(handler_class):  # type: ignore[misc]
        def setup(self) -> None:
            super().setup()
            read_response = self.current_client.read_response

            def read(*args: Any, **options: Any) -> Any:
                try:
                    return read_response(*args, **options)
                except ResponseError as error:
                    # The library has no INFO, and a worker warns of a Redis whose policy it cannot read.
                    return INFO if str(error).startswith("unknown command 'info'") else error

            self.current_client.read_response = read

    return Handler


def main() -> None:
    with TcpFakeServer(("127.0.0.1", int(sys.argv[1]))) as server:
        server.RequestHandlerClass = answering_errors(server.RequestHandlerClass)
        server.serve_forever()


if __name__ == "__main__":
    main()
