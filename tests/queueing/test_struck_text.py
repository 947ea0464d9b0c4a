"""Values of secret names are struck out of errors and tracebacks; nothing else changes."""

import json

import pytest

from queueing.struck_text import struck

NAMES = ("password", "token", "api_key", "authorization")
X = "[redacted]"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("password=geheim", f"password={X}"),
        ("login(user='ada', password='ge\\'heim', n=1)", f"login(user='ada', password='{X}', n=1)"),
        ("KeyError: {'password': 'geheim', 'n': 1}", f"KeyError: {{'password': '{X}', 'n': 1}}"),
        ('bad row {"my_Token": "ge\\"heim"}, retry', f'bad row {{"my_Token": "{X}"}}, retry'),
        (r'body="{\"password\": \"ge\\\"heim\", \"n\": 1}"', rf'body="{{\"password\": \"{X}\", \"n\": 1}}"'),
        ("{'tokens': ['geheim', {'a': \"ge]heim\"}], 'n': 1}", f"{{'tokens': {X}, 'n': 1}}"),
        ("password=b'geheim' n=1", f"password=b'{X}' n=1"),
        ("GET https://a.invalid/?token=geheim&n=1 failed", f"GET https://a.invalid/?token={X}&n=1 failed"),
        ("Authorization: Bearer ge.heim\nHost: a", f"Authorization: {X}\nHost: a"),
        ("X-Api-Key: geheim", f"X-Api-Key: {X}"),
        ("password: geheim\n  at line 2", f"password: {X}\n  at line 2"),
        ("password => geheim", f"password => {X}"),
        ("password='geheim", f"password='{X}"),
        ("password={'a': 'geheim", f"password={X}"),
        ("password=geheim token=geheim", f"password={X} token={X}"),
        ("password = 12345678901234567890", f"password = {X}"),
        ("the password is wrong", "the password is wrong"),
        ("if token == other:", "if token == other:"),
        ("n=1 user='ada' {'b': 2}", "n=1 user='ada' {'b': 2}"),
        ("password=", "password="),
        ("password=\n'x'", "password=\n'x'"),
        ("", ""),
    ],
)  # fmt: skip
def test_values_go_and_the_rest_stays(text: str, shown: str) -> None:
    assert struck(text, NAMES) == shown


def test_no_cut_of_a_text_shows_a_secret() -> None:
    text = (
        "Error: {'a': {'x_token': ['geheim', {\"b\": 'geheim'}]}, \"password\": \"geheim\"}, api_key=geheim"
    )
    for length in range(len(text) + 1):
        assert "geh" not in struck(text[:length], NAMES)


def test_json_in_whatever_depth_of_strings() -> None:
    text = json.dumps({"password": "geheim", "n": 1})
    for _ in range(3):
        assert "geheim" not in struck(f"cannot read {text}", NAMES)
        text = json.dumps({"body": text})


def test_the_names_are_a_setting(settings) -> None:
    settings.QUEUEING = {**settings.QUEUEING, "REDACT": ["IBAN"]}
    assert struck("iban=1, password=2") == f"iban={X}, password=2"
    settings.QUEUEING = {**settings.QUEUEING, "REDACT": []}
    assert struck("iban=1") == "iban=1"


HOSTILE = [
    *("a", "\\", '"', "'", "password=", "password='", 'password="\\', "password=[", "password=['", "token:["),
    *("password=\\", "password=\\\\\\\"", "a-", "=:", "[", "password = ", "\\\"", "password=\"\\\\"),
]  # fmt: skip


@pytest.mark.parametrize("part", HOSTILE)
def test_no_text_is_looked_at_for_long(part: str) -> None:
    """A search that goes back over what it has seen would be at this for hours."""
    text = (part * 1_000_000)[:1_000_000]
    assert "geheim" not in struck(text + " password=geheim", NAMES)
