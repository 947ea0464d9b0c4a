"""The part of Redis' protocol (RESP 2 and 3) that finds the end of a command or a reply."""

from typing import BinaryIO


class Closed(Exception):
    """The other side has closed the connection."""


def _line(stream: BinaryIO) -> bytes:
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        raise Closed
    return line


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if data is None or len(data) != size:
        raise Closed
    return data


def read_command(stream: BinaryIO) -> tuple[bytes, list[bytes]]:
    """The next command of a client: its raw bytes and its words."""
    head = _line(stream)
    if not head.startswith(b"*"):
        return head, head.split()
    raw, words = [head], []
    for _ in range(int(head[1:])):
        size = _line(stream)
        data = _exactly(stream, int(size[1:]) + 2)
        raw += [size, data]
        words.append(data[:-2])
    return b"".join(raw), words


def read_reply(stream: BinaryIO) -> bytes:
    """The raw bytes of the next reply (or push) of a server."""
    head = _line(stream)
    kind, size = head[:1], head[1:-2]
    if kind in b"$=!" and size != b"-1":
        return head + _exactly(stream, int(size) + 2)
    if kind in b"*~>" and size != b"-1":
        return head + b"".join(read_reply(stream) for _ in range(int(size)))
    if kind in b"%|":
        return head + b"".join(read_reply(stream) for _ in range(2 * int(size)))
    return head
