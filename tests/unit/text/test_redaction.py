"""Secrets in payloads and errors are struck out; nothing else changes."""

import json

import pytest

from queueing.conf import read
from queueing.text.redaction import redacted, struck

NAMES = ("password", "token")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"password": "geheim", "n": 1.10}', '{"password": "[redacted]", "n": 1.10}'),
        ('{"token":"geheim","n":12345678901234567890}', '{"token":"[redacted]","n":12345678901234567890}'),
        ('{"my_PassWord_2": {"a": ["geheim"], "b": {}}, "b": 2}', '{"my_PassWord_2": "[redacted]", "b": 2}'),
        ('[{"token" : null}, {"token":\n[1, 2]}]', '[{"token" : "[redacted]"}, {"token":"[redacted]"}]'),
        (r'{"pass\u0077ord": "geheim"}', r'{"pass\u0077ord": "[redacted]"}'),
        ('{"a": "password", "b": "n: x"}', '{"a": "password", "b": "n: x"}'),
        ('{"quoted": "\\"password\\": 1"}', '{"quoted": "\\"password\\": [redacted]"}'),
        ('{"password": "gehei', '{"password": "[redacted]"'),
        ('{"password": "geheim\\', '{"password": "[redacted]"'),
        ('{"password": {"a": [1, {"b": "gehei', '{"password": "[redacted]"'),
        ('{"a": 1, "password', '{"a": 1, "password'),
        ("password=geheim", "password=[redacted]"),
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


# --- Errors and tracebacks -------------------------------------------------------------------------

ERROR_NAMES = ("password", "token", "api_key", "authorization")
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
def test_values_in_errors_go_and_the_rest_stays(text: str, shown: str) -> None:
    assert struck(text, ERROR_NAMES) == shown


def test_no_cut_of_a_text_shows_a_secret() -> None:
    text = (
        "Error: {'a': {'x_token': ['geheim', {\"b\": 'geheim'}]}, \"password\": \"geheim\"}, api_key=geheim"
    )
    for length in range(len(text) + 1):
        assert "geh" not in struck(text[:length], ERROR_NAMES)


def test_json_in_any_depth_of_strings_is_read_in_errors() -> None:
    text = json.dumps({"password": "geheim", "n": 1})
    for _ in range(3):
        assert "geheim" not in struck(f"cannot read {text}", ERROR_NAMES)
        text = json.dumps({"body": text})


def test_the_names_of_errors_are_a_setting(settings) -> None:
    settings.QUEUEING = {**settings.QUEUEING, "REDACT": ["IBAN"]}
    assert struck("iban=1, password=2") == f"iban={X}, password=2"
    settings.QUEUEING = {**settings.QUEUEING, "REDACT": []}
    assert struck("iban=1") == "iban=1"


HOSTILE = [
    *("a", "\\", '"', "'", "password=", "password='", 'password="\\', "password=[", "password=['", "token:["),
    *("password=\\", "password=\\\\\\\"", "a-", "=:", "[", "password = ", "\\\"", "password=\"\\\\"),
]  # fmt: skip


@pytest.mark.parametrize("part", HOSTILE)
def test_no_text_takes_long(part: str) -> None:
    """A search that goes back over what it has seen would be at this for hours."""
    text = (part * 1_000_000)[:1_000_000]
    assert "geheim" not in struck(text + " password=geheim", ERROR_NAMES)


# --- Probes: forms in which secrets occur -----------------------------------------------------------

S = "CANARY77"


def nested(value: object, times: int) -> object:
    for _ in range(times):
        value = {"a": json.dumps(value)}
    return value


PAYLOADS = {
    "plain": {"password": S},
    "nested": {"a": [{"b": {"userPassword": S}}]},
    "camel case": {"apiKey": S},
    "hyphen": {"api-key": S},
    "header": {"headers": {"X-Api-Key": S}},
    "authorization": {"headers": {"Authorization": f"Bearer {S}"}},
    "list": {"password": [S, {"x": S}]},
    "full-width name": {"ｐassword": S},
    "pwd": {"pwd": S},
    "passphrase": {"passphrase": S},
    "private key": {"private_key": S},
    "credentials": {"credentials": S},
    "cookie": {"Cookie": f"sessionid={S}"},
    "auth": {"auth": ["user", S]},
    "basic auth": {"basicAuth": S},
    "one-time password": {"totp": S, "otp-code": S, "SMS_OTP": S},
    "access key": {"aws_access_key_id": S},
    "JSON in a string": {"body": json.dumps({"password": S})},
    "JSON in four strings": nested({"password": S}, 4),
    "JSON after blanks": {"body": " " * 20 + json.dumps({"password": S})},
    "JSON after text": {"body": "data: " + json.dumps({"password": S})},
    "query string": {"url": f"https://x.invalid/?token={S}"},
    "form": {"body": f"user=a&password={S}"},
    "user info": {"url": f"postgres://u:{S}@h/d"},
    "keyword argument of a task": {
        "django_task": 1,
        "task": "x.login",
        "args": [],
        "kwargs": {"password": S},
    },
}
TEXTS = {
    "form": f"user=a&password={S}",
    "auth of a request": f"get('https://x.invalid', auth=('u', '{S}'))",
    "URL": f"https://x.invalid/?api_key={S}",
    "header": f"Authorization: Bearer {S}",
    "header with hyphens": f"X-Api-Key: {S}",
    "JSON after text": f'log: {{"password":"{S}"}}',
    "text in brackets first": f"[info] password={S}",
    "YAML": f"password: {S}",
    "XML": f"<password>{S}</password>",
    "byte order mark": f'\ufeff{{"password":"{S}"}}',
    "lines of JSON": f'{{"a":1}}\n{{"password":"{S}"}}',
    "single quotes": f"{{'password': '{S}'}}",
    "comment": f'/*x*/{{"password":"{S}"}}',
    "NUL": f'\x00{{"password":"{S}"}}',
    "cut": f'{{"password":"{S}',
    "blanks around the colon": f'{{"password"  :  "{S}"}}',
    "lines around the colon": f'{{"password"\n:\n"{S}"}}',
    "escaped name": f'{{"p\\u0061ssword":"{S}"}}',
    "user info": f"could not connect to postgres://u:{S}@h/d",
    "user info without a user": f"redis://:{S}@h",
    "user info in brackets": f"[error] redis://u:{S}@h/0",
    "password with an @": f"redis://u:a@{S}@h/0",
    "bytes": f"b'password={S}'",
    "local variable": f"    password = '{S}'",
    "arrow": f"password -> {S}",
    "annotation": f"password: str = '{S}'",
    "long annotation": f"password: str | None = '{S}'",
    "generic annotation": f"tokens: dict[str, str] = {{'a': '{S}'}}",
    "assignment expression": f"(password := '{S}')",
    "f-string": f"login(user='a', password=f'{S}')",
    "nested quotes": f"""{{"a": "{{\\"password\\": \\"{S}\\"}}"}}""",
    "cookie": f"Set-Cookie: sessionid={S}",
    "percent encoding": f"password%3D{S}",
    "escape in a value": json.dumps({"body": f'password=a"{S}'}),
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_no_payload_shows_a_secret_with_a_name(payload: object) -> None:
    shown = redacted(json.dumps(payload))
    assert S not in shown
    assert json.loads(shown)
    assert S not in struck(json.dumps(payload, ensure_ascii=False))


@pytest.mark.parametrize(
    "name", ["author", "auth_method", "authority", "isAuthenticated", "footprint", "otp_sent"]
)
def test_a_harmless_name_that_contains_a_short_word_is_shown(name: str) -> None:
    for text in (json.dumps({name: "x"}), f"{name}='x'"):
        assert redacted(text) == struck(text) == text


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_no_text_shows_a_secret_with_a_name(text: str) -> None:
    assert S not in redacted(text)
    if not text.startswith('{"p\\u0061') and not text.startswith('{"password"\n'):
        assert S not in struck(text)  # Errors are not read as JSON: neither escaped names nor lines.


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "password", "value": "x"}',
        '["password", "x"]',
        "invalid password 'x'",
        "the token is x",
        "if password == 'x':",
        "login('ada', 'x')",
    ],
)
def test_a_secret_without_a_name_is_not_recognised(text: str) -> None:
    assert redacted(text) == struck(text) == text
