"""Bodies of tasks that any program may have written."""

import json

import pytest

from queueing.broker import task_body
from queueing.broker.task_body import NAME_CHARACTERS, BadTaskBody, name_in, read

BEGINNING = '{"django_task": 1, "task": '


def body(**fields) -> str:
    return json.dumps({"django_task": 1, "task": "shop.tasks.resize", **fields})


@pytest.mark.parametrize(
    "text",
    [
        *(BEGINNING, BEGINNING + '"', BEGINNING + '"\\u00', BEGINNING + "5}", BEGINNING + '"a"} more'),
        BEGINNING + '"a", "args": ' + "[" * 1_000_000,
        BEGINNING + '"a", "kwargs": ' + '{"a":' * 10_000,
        *(body(args=5), body(args={}), body(kwargs=[]), body(kwargs=None), body(task=None), body(task=["a"])),
        *(body(django_task=version) for version in (0, -1, 1.0, "1", None, True, [1], "x" * 100_000)),
        BEGINNING.replace("1", "9" * 5000) + '"a"}',
    ],
    ids=range(22),
)
def test_a_text_that_is_not_the_body_of_a_task_is_refused_with_a_short_reason(text):
    with pytest.raises(BadTaskBody) as raised:
        read(text)
    assert len(str(raised.value)) < 400
    assert len(name_in(text)) <= NAME_CHARACTERS


@pytest.mark.parametrize("name", ["." * 400_000, "a." * 200_000, "a" * (NAME_CHARACTERS + 1), "\\u0061" * 60])
def test_the_name_of_a_task_is_bounded_before_anybody_looks_for_it(name):
    text = BEGINNING + f'"{name}"}}'
    if len(json.loads(f'"{name}"')) > NAME_CHARACTERS:
        with pytest.raises(BadTaskBody, match="characters; 255 are the most"):
            read(text)
        assert name_in(text) == ""
    else:
        assert read(text).task == name_in(text) == "a" * 60


def test_arguments_may_be_long_and_have_numbers_that_json_does_not_know():
    found = read(BEGINNING + '"a", "args": [NaN, "' + "x" * 2_000_000 + '"]}')
    assert found.args[0] != found.args[0]
    assert len(found.args[1]) == 2_000_000


@pytest.mark.parametrize("ending", ["\\", '\\"', '\\"' * 200_000, "\\\\" * 200_000, ".a" * 200_000])
def test_a_name_that_is_cut_off_is_none(ending):
    assert name_in(BEGINNING + '"shop' + ending) == ""


VALUE = [1, -2.5, True, None, '\u00e4\u20ac\U0001f600\ud800"\\', [{"a": [], "b": {}}], {"1": "c"}]


@pytest.mark.parametrize("encoder", ["c_make_encoder", None])
def test_a_body_is_compact_json_with_and_without_the_encoder_in_c(monkeypatch, encoder):
    monkeypatch.setattr(json.encoder, "c_make_encoder", encoder and getattr(json.encoder, encoder))
    encode = task_body._encoder()
    assert encode(VALUE) == json.dumps(VALUE, separators=(",", ":"))
    for refused, error in ((float("nan"), ValueError), ({1}, TypeError)):
        with pytest.raises(error):
            encode([refused])
