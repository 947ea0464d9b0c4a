"""The admin's list of queues, and the page of one."""

import re
from collections.abc import Callable

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from queueing.client import QueueClient
from tests.support.clock import Clock

LIST = "/admin/queueing/queue/"
PAGE = LIST + "testqueue/change/"
ATTRIBUTES = ["vt", "delay", "maxsize", "totalrecv", "totalsent", "created", "modified", "msgs", "hiddenmsgs"]
FIGURES = ["ready", "running", "delayed", "dead", "oldest"]
#: The first words of the columns that follow.
RATES = ["in", "out", "failures", "last", "actions"]


def text_of(browser: Client, path: str) -> str:
    response = browser.get(path)
    assert response.status_code == 200, response
    return response.content.decode()


def posted(**changes: object) -> dict[str, object]:
    """The form of a browser that loaded the page of a new queue and edited these fields."""
    loaded = {"vt": 30, "delay": 0, "maxsize": 65536}
    return {**loaded, **{f"initial-{name}": value for name, value in loaded.items()}, **changes}


class TestList:
    def test_it_has_the_figures_and_on_demand_the_nine_attributes(
        self, boss: Client, queue: QueueClient
    ) -> None:
        def titles(path: str) -> list[str]:
            head = text_of(boss, path).replace("<wbr>", "").partition("<thead>")[2].partition("</thead>")[0]
            return [name.lower() for name in re.findall(r"<span>(?:<code>)?(\w+)", head)]

        assert titles(LIST) == ["name", "state", *FIGURES, *RATES]
        assert titles(LIST + "?attributes=1") == [*titles(LIST), *ATTRIBUTES, "time"]

    def test_related_queues_are_below_their_queue(self, boss: Client, queue: QueueClient) -> None:
        for name in ("mail-a", "mail", "mail-low-dead", "mail-low", "mail-dead", "lost-dead"):
            queue.create_queue(name)

        names = re.findall(r'<bdi data-depth="(\d)">([\w-]+)</bdi>', text_of(boss, LIST))

        family = [("0", "mail"), ("1", "mail-dead"), ("1", "mail-low"), ("2", "mail-low-dead")]
        assert names == [("0", "lost-dead"), *family, ("0", "mail-a"), ("0", "testqueue")]

    def test_every_queue_is_in_it_with_its_figures(self, boss: Client, queue: QueueClient) -> None:
        queue.create_queue("other", vt=7, delay=8, maxsize=2048)
        queue.send_messages("other", ["a", "b", "c"], delay=0)

        html = text_of(boss, LIST + "?attributes=1")

        [row] = [row for row in html.split("<tr>") if ">other<" in row]
        cells = re.findall(r'class="field-(\w+)"><span data-live="[^"]*"[^>]*>([^<]*)', row)
        expected = {"vt": "7", "delay": "8", "maxsize": "2048", "totalsent": "3", "msgs": "3", "ready": "3"}
        assert expected.items() <= dict(cells).items()
        assert ">testqueue<" in html

    def test_a_name_can_be_searched(self, boss: Client, queue: QueueClient) -> None:
        queue.create_queue("other")

        html = text_of(boss, LIST + "?q=OTH")

        assert "other" in html
        assert ">testqueue<" not in html

    def test_a_page_of_it_reads_no_more_queues_than_it_shows(
        self, boss: Client, queue: QueueClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(120):
            queue.create_queue(f"q{number:03}")
        asked: list[int] = []
        figures = QueueClient.queue_figures
        monkeypatch.setattr(
            QueueClient,
            "queue_figures",
            lambda self, names: (asked.append(len(names)), figures(self, names))[1],
        )

        html = text_of(boss, LIST + "?p=2")

        assert asked == [21]
        assert "121 queues" in html
        assert "q119" in html
        assert "q000" not in html

    @pytest.mark.parametrize("page", ["0", "-1", "99999", "x", "9" * 30])
    def test_a_page_that_is_none_is_the_first(self, boss: Client, queue: QueueClient, page: str) -> None:
        assert "testqueue" in text_of(boss, f"{LIST}?p={page}")

    def test_without_a_queue_it_explains_how_to_make_one(self, boss: Client, queue: QueueClient) -> None:
        queue.delete_queue("testqueue")

        assert "There is no queue yet" in text_of(boss, LIST)

    def test_the_index_names_both_lists(self, boss: Client) -> None:
        html = text_of(boss, "/admin/")

        assert ">Queues</a>" in html
        assert ">Processed jobs</a>" in html


class TestPage:
    def test_figures_attributes_and_the_first_messages(self, boss: Client, queue: QueueClient) -> None:
        ids = queue.send_messages("testqueue", [f"text {number}" for number in range(25)])

        html = text_of(boss, PAGE)

        for name in ATTRIBUTES:
            assert f"<code>{name}</code>" in html
        assert ids[0] in html
        assert ids[19] in html
        assert ids[20] not in html
        assert queue.get_queue_attributes("testqueue").totalrecv == 0

    def test_an_edited_value_is_set_and_logged(self, boss: Client, queue: QueueClient) -> None:
        response = boss.post(PAGE, posted(vt=60, maxsize=-1))

        assert response.status_code == 302
        attributes = queue.get_queue_attributes("testqueue")
        assert (attributes.vt, attributes.delay, attributes.maxsize) == (60, 0, -1)
        entry = LogEntry.objects.get()
        assert (entry.object_id, entry.is_change()) == ("testqueue", True)
        assert entry.get_change_message() == "vt 30 → 60, maxsize 65536 → -1"
        assert "vt 30 → 60" in text_of(boss, LIST + "testqueue/history/")

    def test_an_unedited_value_is_left_alone(self, boss: Client, queue: QueueClient) -> None:
        queue.set_queue_attributes("testqueue", delay=9)  # by someone else, since the page was loaded

        boss.post(PAGE, posted(vt=60))

        assert queue.get_queue_attributes("testqueue").delay == 9

    def test_a_foreign_value_does_not_keep_one_from_editing_another(
        self, boss: Client, queue: QueueClient
    ) -> None:
        queue.redis.hset("rsmq:testqueue:Q", "maxsize", "65565")

        boss.post(PAGE, posted(vt=60) | {"maxsize": 65565, "initial-maxsize": 65565})

        attributes = queue.get_queue_attributes("testqueue")
        assert (attributes.vt, attributes.maxsize) == (60, 65565)

    @pytest.mark.parametrize(
        ("field", "value", "error"),
        [
            ("vt", -1, "vt must be between 0 and 9999999"),
            ("vt", 10_000_000, "vt must be between 0 and 9999999"),
            ("delay", -5, "delay must be between 0 and 9999999"),
            ("maxsize", 1023, "maxsize must be between 1024 and 65536"),
            ("maxsize", 0, "maxsize must be between 1024 and 65536"),
            ("vt", "1.5", "Enter a whole number."),
            ("vt", "", "This field is required."),
            ("delay", "<script>", "Enter a whole number."),
        ],
    )
    def test_a_wrong_value_is_refused_on_its_field(
        self, boss: Client, queue: QueueClient, field: str, value: object, error: str
    ) -> None:
        response = boss.post(PAGE, posted(**{field: value}))

        assert response.status_code == 200
        assert error in response.context["adminform"].form.errors[field]
        assert error in response.content.decode()
        assert queue.get_queue_attributes("testqueue").vt == 30
        assert not LogEntry.objects.exists()

    def test_a_queue_that_was_deleted_meanwhile(
        self, boss: Client, queue: QueueClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        set_attributes = QueueClient.set_queue_attributes

        def too_late(self: QueueClient, qname: str, **values: int) -> object:
            self.delete_queue(qname)
            return set_attributes(self, qname, **values)

        monkeypatch.setattr(QueueClient, "set_queue_attributes", too_late)

        response = boss.post(PAGE, posted(vt=60), follow=True)

        assert "Nothing was changed: Queue not found." in response.content.decode()
        assert not LogEntry.objects.exists()

    def test_a_queue_that_does_not_exist(self, boss: Client, queue: QueueClient) -> None:
        response = boss.get(LIST + "nothere/change/", follow=True)

        assert "doesn’t exist" in response.content.decode()


class TestRights:
    paths = (LIST, PAGE, LIST + "testqueue/history/")

    @pytest.mark.parametrize("path", paths)
    def test_nobody_sees_them_without_logging_in(self, db: None, queue: QueueClient, path: str) -> None:
        response = Client().get(path)

        assert response.status_code == 302
        assert response["Location"].startswith("/admin/login/")

    @pytest.mark.parametrize("path", paths)
    def test_without_a_right_there_is_nothing(
        self, staff: Callable[..., Client], queue: QueueClient, path: str
    ) -> None:
        assert staff("view_job").get(path).status_code == 403

    def test_a_user_with_the_right_to_view_cannot_change(
        self, staff: Callable[..., Client], queue: QueueClient
    ) -> None:
        viewer = staff("view_queue")

        html = text_of(viewer, PAGE)

        assert "<code>maxsize</code>" in html
        assert 'name="vt"' not in html
        assert 'name="_save"' not in html
        assert "Processed jobs" not in html
        assert viewer.post(PAGE, posted(vt=60)).status_code == 403
        assert queue.get_queue_attributes("testqueue").vt == 30

    def test_a_user_with_the_right_to_change_can(
        self, staff: Callable[..., Client], queue: QueueClient
    ) -> None:
        changer = staff("change_queue")

        assert 'name="vt"' in text_of(changer, PAGE)
        assert changer.post(PAGE, posted(vt=60)).status_code == 302
        assert queue.get_queue_attributes("testqueue").vt == 60

    def test_a_change_needs_a_token(self, boss: Client, queue: QueueClient) -> None:
        boss.handler.enforce_csrf_checks = True

        assert boss.post(PAGE, posted(vt=60)).status_code == 403


class TestHostileContent:
    names = (
        "<script>alert(1)</script>",
        "../../../admin",
        "a/b?c=d#e&f",
        "{{ 7|add:7 }}",
        "safe\u202egpj",
        "nul\0",
        "new\nline",
        "x" * 300,
    )

    @pytest.mark.parametrize("name", names)
    def test_a_foreign_name_is_text(self, boss: Client, queue: QueueClient, name: str) -> None:
        queue.redis.sadd("rsmq:QUEUES", name)
        queue.redis.hset(f"rsmq:{name}:Q", mapping={"vt": 30, "delay": 0, "maxsize": 65536})

        html = text_of(boss, LIST)

        assert "<script>alert" not in html
        assert "\u202e" not in html
        assert "\0" not in html
        [link] = [link for link in re.findall(r'<a href="([^"]+)/change/"', html) if "testqueue" not in link]
        assert not set(link) & set("<>/?#&\n\0 ")
        assert boss.get(f"{LIST}{link}/change/").status_code in (200, 302)

    def test_a_name_that_is_not_text(self, boss: Client, queue: QueueClient) -> None:
        queue.redis.sadd("rsmq:QUEUES", b"caf\xe9")
        queue.redis.hset(b"rsmq:caf\xe9:Q", mapping={"vt": 30, "delay": 0, "maxsize": 65536})

        html = text_of(boss, LIST)

        assert "testqueue" in html
        assert r"caf\udce9</bdi>" in html
        assert "This name is not UTF-8, so it cannot be opened here." in html
        assert "caf" not in "".join(re.findall(r'href="([^"]+)"', html))

    def test_values_that_rsmq_would_not_write(self, boss: Client, queue: QueueClient) -> None:
        odd = {
            "vt": "30.5",
            "delay": "0.0",
            "maxsize": "65565",
            "created": "99999999999999",
            "modified": "-1",
        }
        queue.redis.hset("rsmq:testqueue:Q", mapping=odd)

        assert "65565" in text_of(boss, LIST + "?attributes=1")
        assert "99999999999999" in text_of(boss, PAGE)

    def test_messages_are_text(self, boss: Client, queue: QueueClient) -> None:
        queue.send_messages("testqueue", ["<script>alert(1)</script>", "{% debug %}", "a\u202eb\0"])
        broken = queue.send_message("testqueue", "x")
        queue.redis.hset("rsmq:testqueue:Q", broken, b"\xff")

        html = text_of(boss, PAGE)

        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
        assert "{% debug %}" in html
        assert r"a\u202eb\u0000" in html
        assert r"\udcff" in html


@pytest.mark.usefixtures("redis_away")
class TestRedisAway:
    @pytest.mark.parametrize("path", [LIST, PAGE, LIST + "testqueue/history/"])
    def test_each_page_stays_up_and_shows_an_error(self, boss: Client, path: str, redis_away: Clock) -> None:
        html = text_of(boss, path)

        assert redis_away.passed_seconds < 2
        assert "Redis does not answer" in html
        assert "secret" not in html

    def test_a_change_shows_that_its_effect_is_unknown(self, boss: Client) -> None:
        response = boss.post(PAGE, posted(vt=60))

        assert "It is not known whether your change was saved" in response.content.decode()

    @pytest.mark.parametrize("path", [LIST, PAGE])
    def test_rights_hold_all_the_same(self, staff: Callable[..., Client], path: str) -> None:
        assert staff().get(path).status_code == 403

    def test_a_user_with_the_right_to_view_alone_learns_nothing_about_changes(
        self, staff: Callable[..., Client]
    ) -> None:
        assert staff("view_queue").post(PAGE, posted(vt=60)).status_code == 403
