"""The Lua scripts. Redis loads each script once. Calls then refer to it by its digest.

Redis runs a script atomically, so every operation of the queue is one file in ``lua/``. The line
``-- include name`` includes a shared part from ``lua/lib``. Lua makes the functions of a part whenever it
runs the part, which was a third of the work of a short call. So a part that few calls need is included in a
block.
"""

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .keys import Keys

FOLDER = Path(__file__).parent / "lua"
INCLUDE = re.compile(r" *-- include (\w+)$")

COMMAND = re.compile(r"redis\.p?call\('([A-Z]+)'")

#: A function that returns the keys of a script. It takes the names of a queue and of its dead-letter queue.
QueueKeys = Callable[[str, str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Script:
    """One Lua file with its includes, and the SHA-1 digest by which Redis finds it."""

    name: str
    source: bytes
    digest: bytes


#: The suffix of a script's name for its variant in a cluster.
IN_CLUSTER = " in a cluster"
#: The call that replaces ``PUBLISH`` in a cluster. A node sends each ``PUBLISH`` to all other nodes, but not
#: an ``SPUBLISH``. Redis 6.2 has neither ``SPUBLISH`` nor the version number.
SHARDED = "redis.pcall(redis.REDIS_VERSION_NUM and 'SPUBLISH' or 'PUBLISH'"


@cache
def load(name: str) -> Script:
    """Read ``lua/<name>.lua`` with all included parts."""
    source = _expanded(FOLDER / f"{name.removesuffix(IN_CLUSTER)}.lua", set()).encode()
    if name.endswith(IN_CLUSTER):
        # Scripts may count their keys, so they do not see the one that a session adds in a cluster.
        source = b"table.remove(KEYS)\n" + source.replace(b"redis.pcall('PUBLISH'", SHARDED.encode())
    return Script(name, source, hashlib.sha1(source, usedforsecurity=False).hexdigest().encode())


@cache
def commands() -> tuple[str, ...]:
    """The names of the Redis commands that the scripts call."""
    found: set[str] = set()
    # One file at a time, without ``pathlib``: so the keeper copies 1 MB less of the shared memory.
    for folder, _, names in os.walk(FOLDER):
        for name in names:
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                found.update(COMMAND.findall(file.read()))
    return tuple(sorted(found))


def _expanded(path: Path, seen: set[Path]) -> str:
    """The text of a file with its includes. ``seen`` are the parts that it can use already.

    A part is included once, at its first mention. An indented include is visible in its block only, so
    another block may include the same part.
    """
    if path in seen:
        return ""
    seen.add(path)
    pieces, blocks = [], [(0, seen)]
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        indent = len(line) - len(line.lstrip(" "))
        while line != "\n" and indent < blocks[-1][0]:
            blocks.pop()
        if found := INCLUDE.match(line):
            if indent > blocks[-1][0]:
                blocks.append((indent, set(blocks[-1][1])))
            line = _expanded(FOLDER / "lib" / f"{found[1]}.lua", blocks[-1][1])
        pieces.append(line)
    return "".join(pieces)


class Call:
    """A call of one script, with its keys and arguments.

    A ``repeatable`` call has the same effect if it runs twice, so it is sent again after a lost reply.
    """

    __slots__ = ("args", "keys", "packed", "repeatable", "script")

    def __init__(
        self,
        script: str,
        keys: Sequence[str | bytes],
        *args: Any,
        repeatable: bool = True,
        packed: bytes | None = None,
    ) -> None:
        self.script, self.keys, self.args, self.repeatable = script, keys, args, repeatable
        #: The bytes of ``command(whole=False)`` in Redis' protocol, if the caller has already encoded them.
        self.packed = packed

    def command(self, *, whole: bool) -> tuple[Any, ...]:
        """The Redis command that runs the script.

        It is ``EVALSHA`` with the digest or, if ``whole`` is true, ``EVAL`` with the source.
        """
        script = load(self.script)
        verb = ("EVAL", script.source) if whole else ("EVALSHA", script.digest)
        return (*verb, len(self.keys), *self.keys, *self.args)


def pattern(command: Sequence[Any]) -> bytes:
    """The bytes of a command in Redis' protocol, as a template for Python's ``%`` operator.

    Each ``None`` in ``command`` becomes two placeholders: the length of an argument, and its bytes.
    """
    pieces = [b"*%d\r\n" % len(command)]
    for part in command:
        text = part if isinstance(part, bytes) else str(part).encode()
        same = b"$%d\r\n%b\r\n" % (len(text), text)
        pieces.append(b"$%d\r\n%b\r\n" if part is None else same.replace(b"%", b"%%"))
    return b"".join(pieces)


class QueueCall:
    """A call whose keys include those of dead-letter queues.

    The session makes the keys with the function ``keys`` when it sends the call, because a queue may get
    another dead-letter queue. It also makes the first arguments, three for each of ``queues`` (see
    ``lua/lib/dead_letters.lua``). ``args`` are the arguments that follow.
    """

    __slots__ = ("args", "keys", "queues", "repeatable", "script")

    def __init__(
        self, script: str, queues: Sequence[str], keys: QueueKeys, *args: Any, repeatable: bool = True
    ) -> None:
        self.script, self.queues, self.keys = script, queues, keys
        self.args, self.repeatable = args, repeatable


def room_call(
    keys: Keys, outbox_max: int, script: str, queue: str, *args: Any, repeatable: bool = True
) -> QueueCall:
    """The call of a script with the keys and the first arguments of ``lua/lib/keys.lua``, then ``args``.

    ``outbox_max`` is in bytes.
    """
    beginning = keys.channel(queue), outbox_max
    return QueueCall(script, [queue], keys.of_room, *beginning, *args, repeatable=repeatable)
