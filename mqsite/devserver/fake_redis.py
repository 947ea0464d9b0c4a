"""``python -m mqsite.devserver.fake_redis PORT``: a Redis in memory on loopback, until it is killed."""

import sys
from typing import Any

from fakeredis import TcpFakeServer
from redis import ResponseError

#: The part of INFO that the worker asks for: the stand-in drops no key.
INFO = b"# Memory\r\nmaxmemory_policy:noeviction\r\n"


def answering_errors(handler_class: type) -> type:
    """The handler of a connection, but an error is an answer to it, and not the end of the connection.

    A client asks for a script by its hash and sends it after the answer that it is not known yet:
    on the same connection, as a Redis keeps it open.
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
