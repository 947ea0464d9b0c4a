"""Another program has spoilt a key: every page, verb and scrape still answers, and names the key.

A queue is shared with other programs, so each key may hold a value of another type, or garbage.
"""

import html
import io
import re
from collections.abc import Iterator
from contextlib import suppress

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from queueing.admin.queues import changelist, charts
from queueing.broker.keys import Keys
from queueing.client import QueueClient, sweep
from queueing.client.default import connect, use_client
from queueing.conf import Config
from queueing.exceptions import QueueError
from queueing.models import Job
from queueing.monitoring import alerts
from tests.support.spoilt_keys import BESIDE, QUEUE, Spoilt, of_garbage, of_other_types

pytestmark = pytest.mark.django_db

KEYS = Keys("rsmq")
OTHER_TYPES, GARBAGE = list(of_other_types(KEYS)), list(of_garbage(KEYS))
ADMIN = "/admin/queueing/"
LIST, ONE = f"{ADMIN}queue/", f"{ADMIN}queue/{QUEUE}/"
ACTIONS = ("change", "messages", "charts", "send", "pause", "redrive", "move", "purge", "delete", "history")
#: Pages of the console, and what an open one asks for.
PAGES = (
    *(
        "/admin/",
        LIST,
        f"{LIST}live/",
        f"{LIST}live/?name={QUEUE}",
        f"{LIST}charts/",
        f"{LIST}charts/?part=live",
    ),
    *(f"{ONE}{action}/" for action in ACTIONS),
    *(f"{ADMIN}queue/{BESIDE}/change/", f"{ADMIN}queue/{QUEUE}-dead/change/", f"{LIST}add/"),
    *(f"{ADMIN}worker/", f"{ADMIN}worker/live/", f"{ADMIN}schedule/", f"{ADMIN}schedule/live/"),
    *(f"{ADMIN}batch/", f"{ADMIN}batch/live/"),
    *(f"{ADMIN}job/", f"{ADMIN}job/live/", f"{ADMIN}job/failures/", f"{ADMIN}job/export/"),
)
VERBS = (
    *(("list",), ("list", "--long"), ("list", "--json"), ("show", QUEUE), ("show", QUEUE, "--json")),
    *(("peek", QUEUE), ("peek", QUEUE, "--json"), ("schedules",), ("schedules", "--json")),
    *(
        ("workers",),
        ("workers", "--json"),
        ("batches",),
        ("batches", "--json"),
        ("show", BESIDE),
        ("peek", BESIDE),
    ),
)
SCRAPES = ("/metrics", "/queues.json", "/readyz", "/healthz")
TOKEN = {"headers": {"authorization": "Bearer t"}}


@pytest.fixture
def queues(shared_client: QueueClient, settings) -> Iterator[QueueClient]:
    """Two queues with a message each, and nothing remembered of other tests."""
    settings.QUEUEING = {**settings.QUEUEING, "METRICS_TOKEN": "t", "QUEUES": [QUEUE]}
    for name in (QUEUE, BESIDE, f"{QUEUE}-dead"):
        shared_client.create_queue(name)
        shared_client.send_message(name, "Hello")
    _forget()
    yield shared_client
    _forget()


def _forget() -> None:
    alerts.forget()
    for shared in (changelist.snapshots, changelist.outflows, charts.pasts):
        shared.forget()


@pytest.fixture
def boss() -> Client:
    browser = Client()
    browser.force_login(User.objects.create_superuser("boss"))
    return browser


def text_of(browser: Client, path: str, **options) -> str:
    """The last page of a chain of redirections."""
    for _ in range(4):
        response = browser.get(path, **options)
        if response.status_code not in (301, 302):
            break
        path = response["Location"]
    assert response.status_code == 200, (path, response.status_code, response.content[:200])
    content = b"".join(response) if response.streaming else response.content
    return html.unescape(content.decode())


def said_by(verb: tuple[str, ...]) -> str:
    """The output of a verb, with the sentence of its error."""
    out, err = io.StringIO(), io.StringIO()
    error = ""
    try:
        call_command("queues", *verb, stdout=out, stderr=err, no_color=True)
    except CommandError as refused:
        error = str(refused)
    return f"{out.getvalue()}{err.getvalue()}{error}"


def each(spoilt: list[Spoilt]):
    return pytest.mark.parametrize("case", spoilt, ids=lambda case: case.name)


def turn(case: Spoilt, of: tuple) -> tuple:
    """A third of the pages or verbs, so that each meets two kinds of garbage and one other type.

    A key with few kinds of garbage gets all.
    """
    kinds = [other for other in (OTHER_TYPES if case in OTHER_TYPES else GARBAGE) if other.key == case.key]
    return of[kinds.index(case) % 3 :: 3] if len(kinds) >= 5 else of


class TestOtherTypes:
    @each(OTHER_TYPES[::2])
    def test_every_page_of_the_console_answers_and_names_the_key(self, queues, boss, case):
        job = Job.objects.create(
            queue=QUEUE, message_id="a" * 32, state="dead", finished_at="2026-01-01T00:00Z", rc=1, body="x"
        )
        unnamed = []
        for page in (*PAGES, f"{ADMIN}job/{job.pk}/change/"):
            # A page checks that Redis accepts writes, and thereby deletes the key that never exists.
            case.spoil(queues.redis)
            text = text_of(boss, page)
            _forget()
            if case.is_of_other_type and case.key not in text and _shows_warnings(page):
                unnamed.append(page)
        assert not unnamed
        if case.key != KEYS.queues():
            assert f"ready {BESIDE}" in text_of(boss, f"{LIST}live/")

    @each(OTHER_TYPES)
    def test_the_public_page_answers_in_plain_words(self, queues, case):
        case.spoil(queues.redis)
        visitor = Client()
        for page in ("/", "/state", f"/?sent={'a' * 32}"):
            text = text_of(visitor, page)
            assert "rsmq" not in text
            assert "script" not in re.sub("<script[^>]*>", "", text.replace("</script>", ""))

    @each(OTHER_TYPES)
    def test_a_message_from_the_page_gets_one_sentence(self, queues, case):
        case.spoil(queues.redis)
        response = Client().post("/job", headers={"accept": "application/json"})
        assert response.status_code in (202, 503)
        for word in ("rsmq", "script", "WRONGTYPE", "user_script"):
            assert word not in response.content.decode()

    @each(OTHER_TYPES)
    def test_every_verb_that_reads_prints_and_names_the_key(self, queues, case):
        case.spoil(queues.redis)
        said = {verb: said_by(verb) for verb in {*VERBS[:3], *turn(case, VERBS)}}
        assert BESIDE in said["list",]
        assert BESIDE in said["list", "--json"]
        if case.is_of_other_type:
            assert case.key in said["list",]

    @each(OTHER_TYPES)
    def test_scrapes_answer_and_name_the_key(self, queues, case):
        case.spoil(queues.redis)
        said = {path: Client().get(path, **TOKEN) for path in SCRAPES}
        assert {path: answer.status_code for path, answer in said.items()} == dict.fromkeys(SCRAPES, 200)
        metrics, numbers = said["/metrics"].content.decode(), said["/queues.json"].json()
        assert f'queueing_queue_ready{{queue="{BESIDE}"}}' in metrics
        assert numbers["queues"][BESIDE]["ready"] == 1
        if case.is_of_other_type:
            assert f'queueing_key_spoilt{{key="{case.key}"}} 1' in metrics
            assert case.key in numbers["spoilt"]

    @each(OTHER_TYPES)
    def test_a_sweep_sets_it_aside_and_nothing_is_lost(self, queues, case):
        case.spoil(queues.redis)
        before = queues.redis.dump(case.key)
        said = said_by(("sweep",))
        if not case.is_of_other_type:
            return
        [place] = queues.redis.keys("*:unreadable")
        assert place.decode() in said
        assert queues.redis.dump(place) == before
        if case.key != KEYS.attributes(QUEUE):
            assert [message.body for message in queues.receive_messages(QUEUE, 10, vt=0)] == ["Hello"]
        assert {QUEUE, BESIDE} - {QUEUE if case.key == KEYS.attributes(QUEUE) else ""} <= set(
            queues.list_queues()
        )
        assert not sweep.spoilt_keys(queues.session, [QUEUE, BESIDE, f"{QUEUE}-dead"])


def _shows_warnings(page: str) -> bool:
    """Whether a page is one of those with warnings: lists, live parts, and the page of the spoilt queue."""
    has_none = (
        "/admin/",
        "/add/",
        "/export/",
        "/send/",
        "/pause/",
        "/redrive/",
        "/move/",
        "/purge/",
        "/delete/",
    )
    has_none += ("/messages/", "/history/", f"{BESIDE}/change/", "-dead/change/")
    return page != "/admin/" and not page.endswith(has_none[1:])


class TestGarbage:
    @each(GARBAGE)
    def test_every_page_answers(self, queues, boss, case):
        case.spoil(queues.redis)
        for page in turn(case, PAGES):
            text_of(boss, page)
            _forget()
        for page in ("/", "/state", f"/?sent={'a' * 32}"):
            text_of(Client(), page)
        assert f"ready {BESIDE}" in text_of(boss, f"{LIST}live/")

    @each(GARBAGE)
    def test_every_verb_and_scrape_answers(self, queues, case):
        case.spoil(queues.redis)
        for verb in turn(case, VERBS):
            said_by(verb)
        assert BESIDE in said_by(("list",))
        for path in SCRAPES:
            assert Client().get(path, **TOKEN).status_code == 200, path
        assert Client().get("/queues.json", **TOKEN).json()["queues"][BESIDE]["ready"] == 1
        with suppress(QueueError):
            Client().post("/job", headers={"accept": "application/json"})


@pytest.mark.parametrize(
    "command",
    ["xrange", "hgetall", "smembers", "zrange", "zrevrange", "hmget", "type", "xrevrange", "scan", "info"],
)
def test_a_user_of_redis_without_a_command_gets_pages_that_name_it(own_redis, boss, command):
    """The refusal names the command, and the page with the permissions that are needed."""
    server = own_redis()
    with server.connect() as admin:
        QueueClient(admin).create_queue(QUEUE)
        admin.execute_command("ACL", "SETUSER", "app", "on", ">x", "~*", "&*", "+@all", f"-{command}")
    client = connect(Config(URL=f"redis://app:x@127.0.0.1:{server.port}/0"))
    use_client(client)
    try:
        _forget()
        for page in PAGES:
            text_of(boss, page)
            _forget()
        for page in ("/", "/state"):
            assert "rsmq" not in text_of(Client(), page)
        if command not in ("scan", "info", "xrevrange", "zrevrange", "zrange"):
            assert "docs/redis.md" in text_of(boss, LIST)
        for verb in VERBS:
            said_by(verb)
    finally:
        use_client(None)
        client.redis.close()
        _forget()


def test_every_key_has_its_type_in_one_table():
    """A new key is in the table, so that the tests above spoil it, too."""
    words = {"SET": "set", "HASH": "hash", "ZSET": "zset", "STREAM": "stream", "STRING": "string"}
    arguments: dict[str, tuple[str, ...]] = {
        "deduplication": ("q", "a:b"),
        "sender": ("t",),
        "hits": ("post ::1",),
    }
    made = {}
    for name, method in vars(Keys).items():
        word = (getattr(method, "__doc__", "") or "").partition(" ")[0].rstrip(":")
        if word in words:
            count = method.__code__.co_argcount - 1
            key = getattr(KEYS, name)(*arguments.get(name, ("q",) * count))
            made[name] = (KEYS.type_of(key), words[word])
    assert len(made) > 15
    assert all(found == wanted for found, wanted in made.values()), made
