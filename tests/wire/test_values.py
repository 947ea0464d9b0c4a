"""Every parameter of the ten methods with invalid values: RSMQ's answer beside that of this client."""

import itertools
import math
from typing import Any

import pytest
import redis

from .bridge import METHODS, NodeSide, PythonSide, Side, outcome
from .javascript import UNDEFINED, source
from .keys import ID, rsmqs_keys, time_ms

GOOD_ID = "f1tt8ybszqAbCdEfGhIjKlMnOpQrStUv"

VALUES: list[Any] = [
    # absent and falsy values
    *(UNDEFINED, None, "", 0, -0.0, False, math.nan),
    # numbers
    *(True, 1, -1, 7, 1.9, 6.99999, -0.5, 0.5, 1e3, 1e-5, 0.00012, 1e-7, 1.5e-9, 1e16, 1e21, 1.5e300),
    *(
        1.2345678901234567e20,
        123456789.5,
        9_999_999,
        10_000_000,
        9_999_999.9,
        1023,
        1024,
        65536,
        65536.9,
        65537,
        -1.9,
        -2,
    ),
    *(2**31, 2**53, 2**64, 10**21, -(10**21), 10**400, math.inf, -math.inf),
    # texts that are numbers or begin like one
    *("0", "7", " 7", "7 ", "+7", "-7", "-0", "- 7", "+", "-", "007", "0x10", "1e3", "1_000", "1,5", ".5"),
    *("12abc", "12 34", "abc", "null", "undefined", "true", "NaN", "Infinity", "9" * 30, "9" * 5000),
    *("\t\n\r\v\f 7", "\u00a07", "\ufeff7", "\u20037", "\u20287", "\u30007"),
    *("\u001c7", "\u001f7", "\u00857", "\u180e7", "\u200b7", "\x007"),
    *("٣", "７", "1٣", "²", "Ⅶ", "−7"),
    # arrays and objects
    *([], [7], ["7"], [[7]], [1, 2], [None], [None, 7], [""], ["there"], [True], [{}], [1.5], [[], "there"]),
    *({}, {"a": 1}, {"qname": "there"}, {"length": 1}),
    # names and ids
    *(
        "there",
        "there\n",
        "\nthere",
        "there ",
        "THERE",
        "the re",
        "the:re",
        "the.re",
        "the\x00re",
        "é",
        "thеre",
    ),
    *("n" * 160, "n" * 161, "_", "-", "__proto__", "constructor", "\ud800", "😀", "QUEUES", "queues"),
    *(
        GOOD_ID,
        GOOD_ID[:-1],
        GOOD_ID + "x",
        GOOD_ID + "\n",
        [GOOD_ID],
        GOOD_ID[:-1] + ":",
        GOOD_ID[:-1] + "é",
    ),
    *("0" * 32, ":" * 32, " " + GOOD_ID[:-1]),
    # bodies
    *("x" * 1024, "x" * 1025, "😀" * 512, "😀" * 512 + "x", "é" * 1024, "\ud800" * 1024, "\ud800" * 1025),
]

#: A valid call of each method: the parameters are replaced one by one.
CALLS: dict[str, dict[str, Any]] = {
    "createQueue": {"qname": "new", "vt": 5, "delay": 5, "maxsize": 2048},
    "listQueues": {},
    "deleteQueue": {"qname": "there"},
    "getQueueAttributes": {"qname": "there"},
    "setQueueAttributes": {"qname": "there", "vt": 5, "delay": 5, "maxsize": 2048},
    "sendMessage": {"qname": "there", "message": "text", "delay": 5},
    "receiveMessage": {"qname": "there", "vt": 5},
    "popMessage": {"qname": "there"},
    "deleteMessage": {"qname": "there", "id": GOOD_ID},
    "changeMessageVisibility": {"qname": "there", "id": GOOD_ID, "vt": 5},
}

#: (parameter, value) -> why this client answers differently. No other difference is allowed.
DEVIATIONS: dict[tuple[str, Any], str] = {
    ("qname", "QUEUES"): "it would share a key with the index of all queues, and lose its messages",
}

PARAMETERS = [(method, name) for method, options in CALLS.items() for name in options]


def prepare(connection: redis.Redis) -> None:
    """A queue ``there`` with one message, and nothing else."""
    pipe = connection.pipeline(transaction=False)
    pipe.flushdb()
    pipe.sadd("rsmq:QUEUES", "there")
    fields = {"vt": 30, "delay": 0, "maxsize": 1024, "created": 1, "modified": 1, GOOD_ID: "body"}
    pipe.hset("rsmq:there:Q", mapping=fields)
    pipe.zadd("rsmq:there", {GOOD_ID: 1})
    pipe.execute()


def answers(
    side: Side, connection: redis.Redis, method: str, cases: list[dict[str, Any]]
) -> list[tuple[Any, Any]]:
    """The result of each call, and RSMQ's keys after each call that was accepted.

    A refused call must change nothing, so it shares a queue with the next accepted one.
    """
    found = []
    prepare(connection)
    for options in cases:
        began_ms = time_ms(connection)
        result = _answer(side, method, options)
        is_refused = isinstance(result, tuple)
        found.append((result, None if is_refused else rsmqs_keys(connection, began_ms)))
        if not is_refused:
            prepare(connection)
    found.append(("at the end", rsmqs_keys(connection, time_ms(connection))))
    return found


def _answer(side: Side, method: str, options: dict[str, Any]) -> Any:
    if isinstance(side, NodeSide):
        options = {name: {"js": source(value)} for name, value in options.items()}
    else:
        options = {name: value for name, value in options.items() if value is not UNDEFINED}
    try:
        result = outcome(side, method, options)
    except Exception as error:  # an exception other than QueueError is an answer, too
        return ("crash", repr(error)[:100])
    if isinstance(result, dict):
        return {k: v for k, v in result.items() if k not in ("created", "modified", "fr")}
    is_id = method == "sendMessage" and isinstance(result, str) and ID.fullmatch(result)
    return "an id" if is_id else result


def differing(
    node: NodeSide, python: PythonSide, connection: redis.Redis, method: str, cases: list[dict[str, Any]]
) -> list[tuple[dict[str, Any], Any, Any]]:
    """The options that the two clients answer differently, with both answers."""
    theirs = answers(node, connection, method, cases)
    ours = answers(python, connection, method, cases)
    both = zip([*cases, {"the end": None}], theirs, ours, strict=True)
    return [(options, one, other) for options, one, other in both if one != other]


def shown(found: list[tuple[dict[str, Any], Any, Any]]) -> str:
    """A table of the differences: the call, RSMQ's answer, this one; the keys if the answers are equal."""
    lines = [""]
    for options, theirs, ours in found:
        which = 1 if theirs[0] == ours[0] else 0
        lines += [source(options)[:120], f"  RSMQ: {theirs[which]}", f"  ours: {ours[which]}"]
    return "\n".join(lines)


@pytest.mark.parametrize(("method", "parameter"), PARAMETERS)
def test_a_value_is_accepted_or_refused_as_by_rsmq(
    node: NodeSide, python: PythonSide, redis_connection: redis.Redis, method: str, parameter: str
):
    cases = [CALLS[method] | {parameter: value} for value in VALUES]
    found = differing(node, python, redis_connection, method, cases)
    allowed = {repr(value) for name, value in DEVIATIONS if name == parameter}
    unexpected = [entry for entry in found if repr(entry[0].get(parameter)) not in allowed]
    assert not unexpected, shown(unexpected)
    assert len(found) == len(allowed), "a deviation that is none any more"


@pytest.mark.parametrize("method", CALLS)
def test_a_call_with_several_faults_names_the_same_fault_as_rsmq(
    node: NodeSide, python: PythonSide, redis_connection: redis.Redis, method: str
):
    wrong = {"qname": ["there", "absent", "a b", None], "id": [GOOD_ID, "short", UNDEFINED]}
    choices = [wrong.get(name, [value, None, -1]) for name, value in CALLS[method].items()]
    cases = [dict(zip(CALLS[method], chosen, strict=True)) for chosen in itertools.product(*choices)]
    found = differing(node, python, redis_connection, method, cases)
    assert not found, shown(found)


def test_the_table_covers_all_ten_methods():
    assert set(CALLS) == set(METHODS)
