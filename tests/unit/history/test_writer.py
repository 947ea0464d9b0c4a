"""One row per message, one attempt per receipt, also if outcomes come twice or out of order."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import DataError, OperationalError, connection, connections
from django.test.utils import CaptureQueriesContext

from queueing.broker.outcomes import Outcome, State, pack, unpack
from queueing.history import writer
from queueing.models import Attempt, Job

pytestmark = pytest.mark.django_db

ID = "hofnoo4h3uSitfleX3naLlLtIJBcS2lk"
NOW_MS = 1_795_452_922_000.0


def outcome(rc=1, event="done", id=ID, **more):
    values = {"started_ms": NOW_MS + rc * 1000, "finished_ms": NOW_MS + rc * 1000 + 400, "body": "text"}
    return Outcome("q", id, rc, State(event), **{"worker": "w", **values, **more})


def test_an_outcome_becomes_a_job_and_its_attempt():
    writer.write([outcome(handler="jobs.say", attempts=1)])
    job = Job.objects.get()
    assert (job.queue, job.message_id, job.state, job.handler, job.body) == (
        "q",
        ID,
        "done",
        "jobs.say",
        "text",
    )
    assert job.run_ms == 400
    assert job.wait_ms == pytest.approx(NOW_MS + 1000 - int(ID[:10], 36) / 1000)
    assert [(a.rc, a.outcome, a.worker) for a in job.history.all()] == [(1, "done", "w")]


def travelled(*told):
    return unpack([b"packed", pack(told, with_bodies=True), b"refused", b"[]"])


def test_a_wanted_delay_does_not_count_as_waiting():
    sent = int(ID[:10], 36) / 1000
    late = {"due_ms": sent + 60_000, "started_ms": sent + 60_250}
    writer.write(travelled(outcome(**late)))
    assert Job.objects.get().wait_ms == pytest.approx(250)


@pytest.mark.parametrize("together", [True, False])
def test_a_job_waits_until_its_first_start_and_not_between_its_retries(together):
    sent = int(ID[:10], 36) / 1000
    first = outcome(1, "retrying", started_ms=sent + 60_250, due_ms=sent + 60_000, error="E")
    batches = [[first, outcome(2)]] if together else [[first], [outcome(2)]]
    for batch in batches:
        writer.write(travelled(*batch))
    job = Job.objects.get()
    assert (job.rc, job.state) == (2, "done")
    assert job.wait_ms == pytest.approx(250)


def test_a_job_that_was_given_back_before_its_start_still_waits():
    writer.write([outcome(1, "released", started_ms=None), outcome(2)])
    assert Job.objects.get().wait_ms == pytest.approx(NOW_MS + 2000 - int(ID[:10], 36) / 1000)


def test_an_id_without_a_time_has_no_waiting_time():
    writer.write([outcome(id="?" * 32)])
    assert Job.objects.get().wait_ms is None


def test_recording_it_twice_changes_nothing():
    told = [outcome(1, "retrying", error="E"), outcome(2, "done")]
    writer.write(told)
    first = list(Job.objects.values()), list(Attempt.objects.values())
    writer.write(told)
    assert (list(Job.objects.values()), list(Attempt.objects.values())) == first


@pytest.mark.parametrize("told", [[1, 2, 3], [3, 2, 1], [2, 3, 1]])
@pytest.mark.parametrize("together", [True, False])
def test_an_older_receipt_never_overwrites_a_newer_one(told, together):
    words = {1: "retrying", 2: "abandoned", 3: "done"}
    outcomes = [outcome(rc, words[rc], attempts=rc) for rc in told]
    for batch in [outcomes] if together else [[one] for one in outcomes]:
        writer.write(batch)
    job = Job.objects.get()
    assert (job.state, job.rc, job.attempts) == ("done", 3, 3)
    assert [a.outcome for a in job.history.all()] == ["retrying", "abandoned", "done"]


def test_the_first_word_about_a_receipt_stays():
    writer.write([outcome(1, "abandoned")])
    writer.write([outcome(1, "lease lost")])
    assert Job.objects.get().state == "abandoned"
    assert Attempt.objects.get().outcome == "abandoned"


def test_the_same_id_in_two_queues_is_two_jobs():
    writer.write([outcome(), Outcome("other", ID, 1, State.DONE, "w", finished_ms=NOW_MS)])
    assert Job.objects.count() == 2


def test_hostile_texts_are_stored_readable():
    writer.write([outcome(body="\x00<b>\udcff\ud800", error="\x00", worker="w\x00")])
    job = Job.objects.get()
    assert (job.body, job.error) == ("\\x00<b>\\udcff\\ud800", "\\x00")


def test_more_than_a_statement_holds_is_written_whole():
    writer.write([outcome(id=f"hofnoo4h3u{number:022d}") for number in range(1700)])
    assert (Job.objects.count(), Attempt.objects.count()) == (1700, 1700)


def test_new_messages_are_written_without_a_query_of_earlier_rows():
    with CaptureQueriesContext(connections[Job.objects.db]) as queries:
        writer.write([outcome(id=f"hofnoo4h3u{number:022d}") for number in range(1000)])
    assert [query["sql"] for query in queries if query["sql"].startswith("SELECT")] == []
    assert len(queries) < 10


def test_later_deliveries_of_many_messages_take_few_statements():
    ids = [f"hofnoo4h3u{number:022d}" for number in range(500)]
    writer.write([outcome(1, "retrying", id=id, handler="jobs.say", error="E") for id in ids])
    with CaptureQueriesContext(connections[Job.objects.db]) as queries:
        writer.write([outcome(2, id=id, body=id) for id in ids])
    assert len(queries) < 10
    assert set(Job.objects.values_list("state", "rc", "handler", "error")) == {("done", 2, "jobs.say", "")}
    assert Attempt.objects.count() == 1000


def test_each_of_many_later_deliveries_changes_its_own_row():
    ids = [f"hofnoo4h3u{number:022d}" for number in range(50)]
    writer.write([outcome(1, "retrying", id=id, error="E") for id in ids])
    writer.write([outcome(2, id=id, result=f"[{number}]") for number, id in enumerate(ids)])
    kept = Job.objects.order_by("message_id").values_list("message_id", "result", "wait_ms")
    assert [(id, result) for id, result, _ in kept] == [(id, f"[{n}]") for n, id in enumerate(ids)]
    waited = NOW_MS + 1000 - int(ID[:10], 36) / 1000
    assert [wait_ms for *_, wait_ms in kept] == pytest.approx([waited] * 50)


def test_a_batch_may_mix_new_messages_with_known_and_repeated_ones():
    known, new, twice = (f"hofnoo4h3u{number:022d}" for number in range(3))
    writer.write([outcome(id=known, event="retrying", error="E")])
    writer.write([outcome(id=new), outcome(id=known), outcome(id=known, rc=2)])
    writer.write([outcome(id=new), outcome(id=twice, event="retrying"), outcome(id=twice, rc=2)])
    rows = Job.objects.order_by("message_id").values_list("message_id", "state", "rc")
    assert list(rows) == [(known, "done", 2), (new, "done", 1), (twice, "done", 2)]
    assert [job.history.count() for job in Job.objects.order_by("message_id")] == [2, 1, 2]


def test_new_messages_keep_errors_tracebacks_and_results():
    failed = {"event": "dead", "error": "E: no", "error_class": "shop.E", "traceback": 'in "f"\n\\t'}
    texts = ["a", "b", "c"]
    writer.write([outcome(id="a" * 32, **failed), outcome(id="b" * 32, result="[1]"), outcome(id="c" * 32)])
    jobs = Job.objects.order_by("message_id").values_list("error", "exception", "result")
    assert list(jobs) == [("E: no", "shop.E", ""), ("", None, "[1]"), ("", None, "")]
    kept = [Attempt.objects.get(job__message_id=text * 32).traceback for text in texts]
    assert kept == [failed["traceback"], "", ""]


def test_times_of_new_messages_are_those_of_looked_up_ones():
    exact = {"started_ms": NOW_MS + 0.123456, "finished_ms": NOW_MS + 1000}
    writer.write([outcome(id="a" * 32, **exact)])
    writer.write([outcome(2, id="b" * 32, **exact)])
    one, other = Job.objects.order_by("message_id").values("started_at", "finished_at", "run_ms")
    assert one == other
    assert one["started_at"] == datetime.fromtimestamp((NOW_MS + 0.123456) / 1000, UTC)
    attempts = Attempt.objects.values("started_at", "finished_at")
    assert attempts[0] == attempts[1]


def test_ids_that_are_cut_to_the_same_one_are_one_job():
    writer.write([outcome(id="x" * 64 + "a"), outcome(id="x" * 64 + "b")])
    assert (Job.objects.count(), Attempt.objects.count()) == (1, 1)


def test_a_row_that_is_refused_costs_a_large_batch_few_transactions(monkeypatch):
    good, batches = writer._write_together, []

    def picky(outcomes):
        batches.append(len(outcomes))
        if any(one.body == "refused" for one in outcomes):
            raise DataError("no")
        good(outcomes)

    monkeypatch.setattr(writer, "_write_together", picky)
    new = [outcome(id=f"hofnoo4h3u{number:022d}") for number in range(1000)]
    new[700].body = "refused"
    writer.write(new)
    assert (Job.objects.count(), Job.objects.filter(body="text").count()) == (1000, 999)
    assert len(batches) < 30


def test_a_row_that_is_refused_does_not_block_the_others(monkeypatch):
    good = writer._write_together

    def picky(outcomes):
        if any(one.body == "refused" for one in outcomes):
            raise DataError("no")
        good(outcomes)

    monkeypatch.setattr(writer, "_write_together", picky)
    writer.write([outcome(), outcome(id="z" * 32, body="refused")])
    assert sorted(Job.objects.values_list("body", flat=True)) == ["", "text"]


def test_an_absent_database_raises_an_error_in_the_caller(monkeypatch):
    def away(outcomes):
        raise OperationalError("away")

    monkeypatch.setattr(writer, "_write_together", away)
    with pytest.raises(OperationalError):
        writer.write([outcome()])


def test_old_rows_and_too_many_are_pruned():
    writer.write([outcome(id=f"hofnoo4h3u{number:022d}") for number in range(10)])
    long_ago = datetime.now(UTC) - timedelta(days=40)
    oldest = Job.objects.earliest("id")
    Job.objects.filter(pk=oldest.pk).update(finished_at=long_ago)
    Job.objects.exclude(pk=oldest.pk).update(finished_at=datetime.now(UTC))
    writer.prune(days=30, rows=100)
    assert Job.objects.count() == 9
    writer.prune(days=30, rows=4)
    assert list(Job.objects.order_by("id").values_list("message_id", flat=True)) == [
        f"hofnoo4h3u{number:022d}" for number in range(6, 10)
    ]
    assert Attempt.objects.count() == 4


def test_packing_keeps_values_and_cuts_long_ones():
    told = outcome(error="e" * 2000, traceback="t" * 9000 + "end", body="b" * 20_000)
    entry = [b"packed", pack([told], with_bodies=True), b"refused", b"[]"]
    [read] = unpack(entry)
    assert (read.id, read.rc, read.event, read.started_ms) == (told.id, 1, "done", told.started_ms)
    assert (len(read.error), len(read.traceback), len(read.body)) == (1000, 8000, 16_384)
    assert read.traceback.endswith("end")
    [without] = unpack([b"packed", pack([told], with_bodies=False), b"refused", b"[]"])
    assert without.body == ""


def test_counts_that_no_database_holds_are_bounded():
    writer.write([outcome(rc=2**70, attempts=2**40)])
    job = Job.objects.get()
    assert (job.rc, job.attempts) == (2**63 - 1, 2**31 - 1)


def test_an_error_of_the_driver_blocks_no_row(monkeypatch):
    good = writer._write_together

    def overflowing(outcomes):
        if any(one.id == "z" * 32 for one in outcomes):
            raise OverflowError("int too large")
        good(outcomes)

    monkeypatch.setattr(writer, "_write_together", overflowing)
    writer.write([outcome(), outcome(id="z" * 32)])
    assert Job.objects.count() == 1


@pytest.mark.parametrize(
    ("event", "error", "exception"),
    [
        ("retrying", "ValueError: no: really", "ValueError"),
        ("dead", "KeyboardInterrupt", "KeyboardInterrupt"),
        ("abandoned", "its process was killed by SIGKILL", "its process was killed by SIGKILL"),
        ("dead", "", "dead"),
        ("done", "", None),
        ("released", "the grace time was over", None),
        ("cancelled", "cancelled by boss", None),
    ],
)
def test_a_failure_is_known_by_the_class_of_its_exception(event, error, exception):
    writer.write([outcome(1, event, error=error, handler="jobs.say")])
    assert Job.objects.get().exception == exception
    assert [(one.exception, one.handler) for one in Attempt.objects.all()] == [(exception, "jobs.say")]


@pytest.mark.parametrize(
    ("event", "error", "error_class", "exception"),
    [
        ("retrying", "ValueError: no", "builtins.ValueError", "ValueError"),
        ("dead", "Away: no", "shop.errors.Away", "shop.errors.Away"),
        ("abandoned", "its process was killed by SIGKILL", "", "its process was killed by SIGKILL"),
        ("dead", "", "", "dead"),
    ],
)
def test_the_class_of_an_exception_is_kept_once_with_its_module(event, error, error_class, exception):
    writer.write([outcome(1, event, error=error, error_class=error_class)])
    assert (Job.objects.get().exception, Attempt.objects.get().exception) == (exception, exception)
    [kept] = writer.outcomes_of(outcome().id)
    assert (kept.error, kept.error_class) == (error, error_class)


def test_a_job_that_succeeds_at_last_has_no_exception_but_its_attempt_has():
    writer.write([outcome(1, "retrying", error="ValueError: no")])
    writer.write([outcome(2, "done")])
    assert Job.objects.get().exception is None
    assert [one.exception for one in Attempt.objects.all()] == ["ValueError", None]


def through_the_outbox(*outcomes, with_bodies=True):
    packed = pack(outcomes, with_bodies=with_bodies)
    writer.write(unpack([b"count", b"1", b"packed", packed, b"refused", b"[]"]))
    job = Job.objects.get()
    return job.body, job.body_is_whole


def test_a_short_payload_is_kept_whole_and_a_long_one_is_marked_as_cut():
    assert through_the_outbox(outcome(1, body="")) == ("", True)
    Job.objects.all().delete()
    assert through_the_outbox(outcome(1, body="x" * 16_384)) == ("x" * 16_384, True)
    Job.objects.all().delete()
    assert through_the_outbox(outcome(1, body="x" * 16_385)) == ("x" * 16_384, False)


def test_a_payload_that_is_not_stored_is_not_whole():
    assert through_the_outbox(outcome(1, body="text"), with_bodies=False) == ("", False)


@pytest.mark.parametrize("body", ["a\x00b", "a\udcffb"])
def test_a_payload_that_no_database_holds_is_kept_readable_and_is_not_whole(body):
    writer.write([outcome(body=body)])
    assert Job.objects.get().body_is_whole is False


def test_a_later_outcome_brings_the_payload_that_an_earlier_one_lacked():
    writer.write([outcome(1, "abandoned", body="", body_is_whole=False)])
    writer.write([outcome(2, "retrying", body="text")])
    writer.write([outcome(3, "done", body="te", body_is_whole=False)])
    job = Job.objects.get()
    assert (job.state, job.body, job.body_is_whole) == ("done", "text", True)


@pytest.mark.parametrize(
    ("name", "stored", "kept", "is_whole"),
    [
        (b"body", "é".encode(), "é", True),
        (b"cut", "aé".encode()[:2], "a", False),
        (b"body", b"a\xff", "a\\udcff", False),
    ],
)
def test_the_scripts_record_a_payload(name, stored, kept, is_whole):
    ended = b'{"queue":"q","lane":"c q","reason":"r","endings":[["%s",1,"dead",0,3]]}' % ID.encode()
    writer.write(unpack([b"count", b"1", b"ms", b"1000", b"ended", ended, name, stored]))
    job = Job.objects.get()
    assert (job.body, job.body_is_whole) == (kept, is_whole)


def put_again(**more):
    """The outcome of a message with the same id that another program put into the queue a minute later."""
    later = {"started_ms": NOW_MS + 60_000, "finished_ms": NOW_MS + 60_400, "body": "another text"}
    return outcome(1, **{**later, **more})


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("event", ["done", "retrying", "dead", "released", "abandoned", "cancelled"])
@pytest.mark.parametrize("first", [("done", 1), ("done", 3), ("dead", 2), ("cancelled", 1), ("gone", 1)])
def test_a_message_whose_id_has_ended_before_has_a_row_of_its_own(first, event, together):
    word, rc = first
    ended, again = outcome(rc, word), put_again(event=event)
    for batch in [[ended, again]] if together else [[ended], [again]]:
        writer.write(batch)
    rows = Job.objects.order_by("id").values_list("message_id", "state", "rc", "body")
    assert list(rows) == [(f"{ID}/1", word, rc, "text"), (ID, event, 1, "another text")]
    assert [job.history.count() for job in Job.objects.all()] == [1, 1]
    assert [found.body for found in writer.outcomes_of(ID)] == ["another text"]


def test_a_message_that_is_put_again_with_the_same_text_has_a_row_of_its_own():
    writer.write([outcome()])
    writer.write([put_again(body="text")])
    assert Job.objects.count() == 2


def test_a_message_may_be_put_again_and_again():
    for minute in range(5):
        start_ms = NOW_MS + minute * 60_000
        writer.write([outcome(1, "retrying", started_ms=start_ms, finished_ms=start_ms + 100)])
        writer.write([outcome(2, "done", started_ms=start_ms + 200, finished_ms=start_ms + 300)])
    names = [ID, *(f"{ID}/{number}" for number in range(1, 5))]
    assert sorted(Job.objects.values_list("message_id", flat=True)) == sorted(names)
    assert Attempt.objects.count() == 10


def test_a_result_that_is_recorded_during_the_lookup_is_found_with_its_outcome_or_not_at_all():
    writer.write([outcome(1, "retrying", error="E: no")])
    queries = []

    def record_after_the_first(execute, *query):
        found = execute(*query)
        queries.append(query)
        if len(queries) == 1:
            writer.write([outcome(2, "done", result="[3]")])
        return found

    with connection.execute_wrapper(record_after_the_first):
        during = writer.outcomes_of(ID)
    assert queries
    assert [found.result for found in during if found.event == State.DONE] in ([], ["[3]"])
    assert [found.result for found in writer.outcomes_of(ID)] == ["", "[3]"]


@pytest.mark.parametrize("times", [2, 3])
def test_the_outcomes_of_a_message_that_was_put_again_may_be_recorded_again(times):
    told = [outcome(1, "retrying"), outcome(2), put_again()]
    for _ in range(times):
        writer.write(told)
    assert (Job.objects.count(), Attempt.objects.count()) == (2, 3)


def test_clocks_of_workers_that_differ_make_no_second_message_of_one():
    told = [outcome(1, "retrying", finished_ms=NOW_MS + 9000), outcome(2, finished_ms=NOW_MS + 8999.5)]
    for _ in range(2):
        writer.write(told)
    assert (Job.objects.count(), Attempt.objects.count()) == (1, 2)


def test_a_redriven_dead_letter_keeps_its_row():
    writer.write([outcome(3, "dead")])
    writer.write([outcome(4, "retrying"), outcome(5)])
    assert Job.objects.get().state == "done"
    assert Attempt.objects.count() == 3


@pytest.mark.parametrize("event", ["lease lost", "gone"])
def test_a_refused_outcome_that_comes_late_is_of_the_same_message(event):
    writer.write([outcome(2)])
    writer.write([put_again(event=event)])
    assert Job.objects.get().state == "done"
    assert Attempt.objects.count() == 2


def test_texts_with_quotes_and_braces_and_missing_values_are_kept_in_one_batch():
    bodies = ['a"b', "a\\b", "{a,b}", "NULL", "", "a\nb\tc", "'%s'", "é☃", "a\x00b"]
    batch = [outcome(id=f"hofnoo4h3u{number:022d}", body=body) for number, body in enumerate(bodies)]
    batch[1].started_ms, batch[2].event, batch[2].error = None, State.DEAD, 'E: "\\'
    writer.write([*batch, outcome(id="?" * 32, body="no time")])
    kept = Job.objects.order_by("message_id").values_list("body", "started_at", "error", "exception")
    assert [body for body, *_ in kept] == ["no time", *bodies[:-1], "a\\x00b"]
    assert [at is None for _, at, *_ in kept] == [False, False, True] + [False] * 7
    assert [rest for _, _, *rest in kept][3] == ['E: "\\', "E"]
    assert Job.objects.get(body="no time").sent_at is None


def test_a_queue_whose_name_no_database_holds_is_stored_readable():
    for rc in (1, 2):
        writer.write([Outcome("q\x00", ID, rc, State.DONE, "w", finished_ms=NOW_MS)])
    assert [(job.queue, job.rc) for job in Job.objects.all()] == [("q\\x00", 2)]
