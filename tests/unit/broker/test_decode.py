"""Reading values that any program may have written to Redis."""

import json
import zlib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from queueing.broker import decode
from queueing.broker.decode import MAX_DEPTH, MAX_INTEGER, Unreadable

DEEP = (
    *("[" * 10_000, '{"a":' * 10_000, "[" * 10_000 + "]" * 10_000),
    *('["\\"]",' * 101, '["\\\\",' + "[" * 101, '{"]]]]":' * 101),
)
#: JSON texts of the wrong shape or size, for every reader that expects something else.
NOT_JSON = ("", "{", "nul", "NaN", "[Infinity]", "9" * 5000, '"' * 400_000, '\\"' * 200_000, "'a'", "[1,]")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize("text", DEEP, ids=range(len(DEEP)))
def test_json_that_nests_too_deep_is_unreadable(text: str):
    with pytest.raises(Unreadable, match="nested more than 100 deep"):
        decode.json(text.encode())


@pytest.mark.parametrize("text", NOT_JSON, ids=range(len(NOT_JSON)))
def test_a_text_that_is_not_json_is_unreadable(text: str):
    with pytest.raises(Unreadable):
        decode.json(text.encode())
    assert decode.record_or_empty(text.encode()).text("a") == ""


def test_json_that_is_too_long_is_unreadable():
    with pytest.raises(Unreadable, match="it has 12 bytes, and 11 are the most"):
        decode.json(b'"aaaaaaaaaa"', max_bytes=11)


def test_an_unreadable_value_is_not_repeated_in_its_reason():
    with pytest.raises(Unreadable) as raised:
        decode.json(b"{" + b"secret" * 1000)
    assert len(str(raised.value)) < 300
    assert "secretsecret" not in str(raised.value)


@given(VALUES)
@example([[]] * 1000)
@example(["[" * 1000, '{"' * 1000, "\\" * 999 + '"'])
@example({'\\"[': '\\\\"{'} | {str(n): "[" for n in range(200)})
def test_any_json_of_a_usual_depth_is_read(value: Any):
    assert decode.json(json.dumps(value), max_bytes=10**7) == value
    assert decode.json(json.dumps(value, ensure_ascii=False), max_bytes=10**7) == value


@pytest.mark.parametrize("depth", [MAX_DEPTH, MAX_DEPTH + 1])
def test_the_depth_is_limited_exactly(depth: int):
    text = "[" * depth + "]" * depth
    if depth == MAX_DEPTH:
        decode.json(text)
    else:
        with pytest.raises(Unreadable):
            decode.json(text)


@given(st.binary())
@example(b"9" * 1_000_000)
@example(b"-" + b"9" * 400)
@example(b"1e309")
@example(b"\xff1")
def test_any_bytes_make_a_bounded_integer(stored: bytes):
    assert -MAX_INTEGER <= decode.integer(stored) <= MAX_INTEGER


@pytest.mark.parametrize(
    ("stored", "number"),
    [
        *((b"30", 30), (b"-1", -1), (b"+7", 7), (b"  12abc", 12), (b"1.9", 1), (b"1e3", 1), (b"007", 7)),
        *((b"", 0), (b"inf", 0), (b"nan", 0), (b"text", 0), (7, 7), (2**63, MAX_INTEGER)),
        *((b"9" * 400, MAX_INTEGER), (b"-" + b"9" * 400, -MAX_INTEGER), (b"0" * 400 + b"5", 5)),
    ],
)
def test_an_integer_is_read_as_rsmq_reads_it(stored: bytes, number: int):
    assert decode.integer(stored) == number


@given(st.binary())
@example(b"nan")
@example(b"1e999")
@example(b"-inf")
def test_any_bytes_make_a_finite_fraction(stored: bytes):
    assert abs(decode.fraction(stored)) < float("inf")


@given(st.binary())
def test_the_text_of_any_bytes_becomes_the_same_bytes_again(stored: bytes):
    assert decode.text(stored).encode("utf-8", "surrogateescape") == stored


@given(st.dictionaries(st.sampled_from("abc"), VALUES | st.lists(VALUES)))
@example({"a": 10**400, "b": float("inf")})
def test_each_value_of_a_record_has_the_type_that_is_asked_for(values: dict[str, Any]):
    record = decode.Record(values)
    for name in "abc":
        assert type(record.text(name)) is str
        assert 0 <= record.number(name) <= MAX_INTEGER
        assert type(record.integer(name)) is int
        assert type(record.is_true(name)) is bool
        assert all(type(text) is str for text in record.texts(name))
        assert all(type(inner) is decode.Record for inner in record.records(name))
    try:
        assert record.all_texts() == values
    except Unreadable:
        assert not all(isinstance(value, str) for value in values.values())


@pytest.mark.parametrize("text", ["[]", "1", "null", '"a"'])
def test_a_record_is_a_json_object(text: str):
    with pytest.raises(Unreadable, match="not a JSON object"):
        decode.record(text.encode())


def test_bytes_inflate_up_to_their_limit_only():
    stored = zlib.compress(b" " * 1000)
    assert decode.inflated(stored, max_bytes=1000) == b" " * 1000
    with pytest.raises(Unreadable, match="inflates to more than 999 bytes"):
        decode.inflated(stored, max_bytes=999)


@pytest.mark.parametrize("stored", [b"", b"x", b"x" * 1000, zlib.compress(b"a" * 1000)[:-5]])
def test_bytes_that_cannot_be_inflated_are_unreadable(stored: bytes):
    with pytest.raises(Unreadable):
        decode.inflated(stored, max_bytes=10_000)
