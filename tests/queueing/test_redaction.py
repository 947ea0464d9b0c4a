"""Values of secret keys are struck out, in whatever is left of a JSON payload; nothing else changes."""

import json

import pytest

from queueing.conf import read
from queueing.redaction import redacted

NAMES = ("password", "token")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"password": "geheim", "n": 1.10}', '{"password": "[redacted]", "n": 1.10}'),
        ('{"token":"geheim","n":12345678901234567890}', '{"token":"[redacted]","n":12345678901234567890}'),
        ('{"my_PassWord_2": {"a": ["geheim"], "b": {}}, "b": 2}', '{"my_PassWord_2": "[redacted]", "b": 2}'),
        ('[{"token" : null}, {"token":\n[1, 2]}]', '[{"token" : "[redacted]"}, {"token":"[redacted]"}]'),
        (r'{"pass\u0077ord": "geheim"}', r'{"pass\u0077ord": "[redacted]"}'),
        ('{"a": "password", "b": "token: x"}', '{"a": "password", "b": "token: x"}'),
        ('{"quoted": "\\"password\\": 1"}', '{"quoted": "\\"password\\": 1"}'),
        ('{"password": "gehei', '{"password": "[redacted]"'),
        ('{"password": "geheim\\', '{"password": "[redacted]"'),
        ('{"password": {"a": [1, {"b": "gehei', '{"password": "[redacted]"'),
        ('{"a": 1, "password', '{"a": 1, "password'),
        ("password=geheim", "password=geheim"),
        ("", ""),
        ("[", "["),
    ],
)  # fmt: skip
def test_secret_values_are_struck_out(text: str, shown: str) -> None:
    assert redacted(text, NAMES) == shown


def test_json_within_a_string_is_looked_into() -> None:
    inner = json.dumps({"password": "geheim", "n": 1})
    for text in (json.dumps({"body": inner}), json.dumps([json.dumps({"body": inner})]), json.dumps(inner)):
        assert "geheim" not in redacted(text, NAMES)
        assert json.loads(redacted(text, NAMES))
    harmless = json.dumps({"body": json.dumps({"n": 1})})
    assert redacted(harmless, NAMES) == harmless


def test_a_cut_string_of_json_is_looked_into_too() -> None:
    text = json.dumps({"body": json.dumps({"password": "geheim und mehr"})})
    assert "geheim" not in redacted(text[:-12], NAMES)


def test_no_cut_of_a_payload_shows_a_secret() -> None:
    text = json.dumps({"a": {"x_token": ["geheim", {"b": "geheim"}]}, "password": "geheim", "c": [1, 2]})
    for length in range(len(text) + 1):
        assert "geh" not in redacted(text[:length], NAMES)


def test_the_names_are_a_setting(settings) -> None:
    settings.QUEUEING = {**settings.QUEUEING, "REDACT": ["IBAN"]}
    assert redacted('{"iban": 1, "password": 2}') == '{"iban": "[redacted]", "password": 2}'
    settings.QUEUEING = {**settings.QUEUEING, "REDACT": []}
    assert redacted('{"iban": 1}') == '{"iban": 1}'
    assert "password" in read({}).REDACT
