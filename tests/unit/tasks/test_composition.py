"""Chains and batches of tasks and messages, run in this process."""

import json

import pytest
from django.db import transaction

from queueing import handlers
from queueing.broker import batches
from queueing.client import follow_ups, sweep
from queueing.composition import batch, cancel_batch, chain, get_batch, retry_batch, step
from queueing.exceptions import BatchClosed, BatchNotFound, EnqueueFailed, QueueError, QueueNotFound
from queueing.policies import GiveUp, policy
from queueing.policies.limits import shown_key
from queueing.tasks.compat import TaskResultDoesNotExist, task_backends
from queueing.testing import run_pending
from queueing.worker.forwarder import Forwarder

from .app import tasks

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _sent_immediately(backend):
    backend(OPTIONS={"enqueue_on_commit": False})


class Texts(list):
    """The bodies that the handler of the queue ``texts`` got. It gives up those in ``refused``."""

    def __init__(self):
        super().__init__()
        self.refused = set()

    def __call__(self, message):
        self.append(message.body)
        if message.body in self.refused:
            raise GiveUp("refused")


@pytest.fixture
def texts(queues, monkeypatch):
    monkeypatch.setattr(handlers, "_handlers", {})
    queues.create_queue("texts")
    found = Texts()
    handlers.handler("texts")(found)
    return found


def values():
    """The return values of the tasks that have run now, in order."""
    return [json.loads(outcome.result or "null") for outcome in run_pending() if outcome.event == "done"]


def counts(id):
    state = get_batch(id)
    return (state.state, state.total, state.waiting, state.done, state.failed, state.cancelled)


# --- chains -----------------------------------------------------------------------------------


def test_each_task_of_a_chain_gets_the_result_of_the_one_before_as_its_first_argument(queues):
    chain(step(tasks.add, 1, b=2), step(tasks.add, 10), step(tasks.add_async, b=100)).enqueue()
    assert values() == [3, 13, 113]
    assert queues.figures_of_queue("default").attributes.totalsent == 3


def test_the_ids_of_a_chain_are_known_before_its_steps_are_sent(queues):
    ids = chain(step(tasks.add, 1), step(tasks.add, 10)).enqueue()
    run_pending()
    results = [task_backends["default"].get_result(id) for id in ids]
    assert [result.return_value for result in results] == [2, 12]


def test_the_next_step_has_a_result_as_soon_as_the_one_before_has_ended(queues, monkeypatch):
    ids = chain(step(tasks.add, 1), step(tasks.add.using(priority=-1), 10)).enqueue()
    get_result = task_backends["default"].get_result
    with monkeypatch.context() as patched:
        patched.setattr(follow_ups, "send", lambda client, texts: 0)
        run_pending()
    assert [str(get_result(id).status) for id in ids] == ["SUCCESSFUL", "READY"]
    assert get_result(ids[1]).args == [2, 10]
    run_pending()
    assert get_result(ids[1]).return_value == 12


def test_a_next_step_that_another_program_has_spoilt_has_no_result(queues):
    queues.redis.hset(queues.keys.follow_ups(), "a" * 32, "not JSON")
    with pytest.raises(TaskResultDoesNotExist):
        task_backends["default"].get_result("a" * 32)


def test_a_message_without_a_body_gets_the_result_as_json(texts):
    chain(step(tasks.add, 1, b=2), step("texts"), step("texts", "own"), step(tasks.add, 5)).enqueue()
    assert values()[-1] == 6
    assert texts == ["3", "own"]


def test_a_chain_stops_at_a_dead_step_and_continues_after_its_redrive(texts, queues):
    texts.refused.add("no")
    chain(step("texts", "no"), step("texts", "yes")).enqueue()
    run_pending()
    assert texts == ["no"]
    texts.refused.clear()
    queues.redrive("texts")
    run_pending()
    assert texts == ["no", "no", "yes"]


def test_the_steps_of_a_chain_keep_their_queue_their_priority_and_their_time(queues):
    urgent = tasks.tell.using(queue_name="mails", priority=7)
    chain(step(tasks.add, 1), step(urgent)).enqueue()
    [_, told] = values()
    assert (told["queue"], told["priority"], told["word"]) == ("mails", 7, 2)


def test_a_result_longer_than_the_queue_allows_is_handed_on(queues):
    queues.create_queue("default", maxsize=1024)
    chain(step(tasks.lengthen), step(tasks.measure)).enqueue()
    assert values()[-1] == 5000


@pytest.mark.parametrize(
    "steps",
    [(step("texts"),), (step("texts", "a"), step("texts")), (step("texts", 7),)],
    ids=["first", "after a message", "not a text"],
)
def test_a_step_without_a_body_is_refused_before_anything_is_sent(texts, queues, steps):
    with pytest.raises(QueueError):
        chain(*steps).enqueue()
    assert queues.figures_of_queue("texts").attributes.totalsent == 0


def test_a_chain_into_an_unknown_queue_is_refused(queues):
    with pytest.raises(QueueNotFound):
        chain(step(tasks.add, 1), step("nowhere", "text")).enqueue()
    assert run_pending() == []


# --- batches ----------------------------------------------------------------------------------


def test_a_batch_sends_its_callback_once_with_its_id_when_all_members_are_done(texts):
    id = batch([step(tasks.add, n) for n in range(5)], on_success=step("texts")).enqueue()
    assert counts(id) == ("running", 5, 5, 0, 0, 0)
    run_pending()
    assert texts == [id]
    assert counts(id) == ("done", 5, 0, 5, 0, 0)
    assert get_batch(id).callback == "on_success"
    assert get_batch(id).title == "tests.unit.tasks.app.tasks.add"


def test_a_batch_with_a_dead_member_sends_the_other_callback_when_all_have_ended(texts):
    texts.refused.add("bad")
    members = [step("texts", "bad"), step("texts", "good")]
    id = batch(members, on_success=step("texts", "success"), on_failure=step("texts", "failure")).enqueue()
    run_pending()
    assert texts == ["bad", "good", "failure"]
    assert counts(id) == ("dead", 2, 0, 1, 1, 0)


def test_members_that_are_redriven_count_again_and_no_second_callback_follows(texts):
    texts.refused.add("bad")
    members = [step("texts", "bad"), step("texts", "good")]
    id = batch(members, on_success=step("texts", "success"), on_failure=step("texts", "failure")).enqueue()
    run_pending()
    assert retry_batch(id) == 1
    run_pending()
    assert counts(id) == ("dead", 2, 0, 1, 1, 0)
    texts.refused.clear()
    assert (retry_batch(id), retry_batch(id)) == (1, 0)
    run_pending()
    assert counts(id) == ("done", 2, 0, 2, 0, 0)
    assert texts.count("failure") == 1
    assert "success" not in texts


def test_without_a_failure_callback_the_success_follows_the_redriven_members(texts):
    texts.refused.add("bad")
    id = batch([step("texts", "bad"), step("texts", "good")], on_success=step("texts", "success")).enqueue()
    run_pending()
    texts.refused.clear()
    retry_batch(id)
    run_pending()
    assert texts == ["bad", "good", "bad", "success"]


def test_a_batch_of_batches_ends_after_the_inner_ones_and_is_redriven_with_them(texts):
    texts.refused.add("bad")
    inner = batch([step("texts", "bad"), step("texts", "a")], on_success=step("texts", "inner"))
    outer = batch([inner, step("texts", "b"), batch([])], on_success=step("texts", "outer"))
    id = batch([outer], on_success=step("texts", "outermost")).enqueue()
    run_pending()
    assert counts(id) == ("dead", 1, 0, 0, 1, 0)
    texts.refused.clear()
    assert retry_batch(id) == 1
    run_pending()
    assert texts[-3:] == ["inner", "outer", "outermost"]
    assert counts(id) == ("done", 1, 0, 1, 0, 0)


def test_a_chain_in_a_batch_is_one_member_that_ends_with_its_last_step(texts):
    texts.refused.add("second")
    members = [chain(step("texts", "first"), step("texts", "second"), step("texts", "third"))]
    id = batch(members, on_success=step("texts", "success")).enqueue()
    run_pending(limit=1)
    assert counts(id) == ("running", 1, 1, 0, 0, 0)
    run_pending()
    assert counts(id) == ("dead", 1, 0, 0, 1, 0)
    texts.refused.clear()
    retry_batch(id)
    run_pending()
    assert texts == ["first", "second", "second", "third", "success"]
    assert counts(id) == ("done", 1, 0, 1, 0, 0)


def test_an_empty_batch_succeeds_immediately(texts):
    id = batch([], on_success=chain(step("texts", "one"), step("texts", "two"))).enqueue()
    run_pending()
    assert texts == ["one", "two"]
    assert counts(id) == ("done", 0, 0, 0, 0, 0)


def test_a_callback_may_have_a_body_that_is_not_valid_unicode(texts):
    batch([], on_success=step("texts", "\udc80")).enqueue()
    run_pending()
    assert texts == ["\udc80"]


def test_the_waiting_members_of_a_cancelled_batch_do_not_run(texts):
    inner = batch([step("texts", "c")])
    members = [step("texts", "a"), step("texts", "b"), inner]
    id = batch(members, on_success=step("texts", "success"), on_failure=step("texts", "failure")).enqueue()
    run_pending(limit=1)
    cancel_batch(id)
    outcomes = run_pending()
    assert [str(outcome.event) for outcome in outcomes] == ["cancelled", "cancelled", "done"]
    assert texts == ["a", "failure"]
    assert counts(id) == ("cancelled", 3, 0, 1, 0, 2)
    with pytest.raises(BatchClosed):
        cancel_batch(id)
    with pytest.raises(BatchClosed):
        retry_batch(id)


def test_the_dead_members_of_a_batch_in_a_cancelled_one_stay(texts, queues):
    texts.refused.add("bad")
    queues.create_queue("others")
    id = batch([batch([step("texts", "bad")]), step("others", "a")]).enqueue()
    run_pending("texts")
    inner = queues.peek_messages("texts-dead")[0].headers[batches.BATCH]
    cancel_batch(id)
    with pytest.raises(BatchClosed):
        retry_batch(inner)
    assert [message.body for message in queues.peek_messages("texts-dead")] == ["bad"]


def test_an_unknown_batch_is_not_found(queues):
    for act in (get_batch, cancel_batch, retry_batch):
        with pytest.raises(BatchNotFound):
            act("nothing")


def test_a_member_that_is_cancelled_or_purged_counts_as_cancelled(texts, queues):
    members = [step("texts", "a"), step("texts", "b")]
    id = batch(members, on_failure=step(tasks.add, b=1)).enqueue()
    queues.cancel_message("texts", queues.peek_messages("texts")[0].id)
    assert counts(id)[-1] == 1
    queues.purge_queue("texts")
    assert counts(id) == ("cancelled", 2, 0, 0, 0, 2)
    assert follow_ups.send_due(queues)[0] == 1


def test_a_member_that_a_client_deletes_or_pops_counts_as_cancelled(texts, queues):
    members = [step("texts", "a"), chain(step("texts", "b"), step("texts", "c")), step("texts", "d")]
    id = batch(members, on_failure=step(tasks.add, b=1)).enqueue()
    first, second, third = queues.peek_messages("texts")
    assert queues.delete_message("texts", first.id) == 1
    assert (queues.delete_message("texts", first.id), counts(id)[-1]) == (0, 1)
    received = queues.receive_message("texts")
    assert received.id == second.id
    assert queues.delete_messages("texts", [received]) == [1]
    assert queues.pop_message("texts").id == third.id
    assert counts(id) == ("cancelled", 3, 0, 0, 0, 3)
    assert follow_ups.send_due(queues)[0] == 1


def test_members_of_a_deleted_queue_count_as_cancelled(texts, queues):
    texts.refused.add("bad")
    members = [step("texts", "bad"), step(tasks.add, 1, 2), *[step("texts", "a")] * 1500]
    id = batch(members, on_failure=step(tasks.add, b=1)).enqueue()
    run_pending(limit=2)
    queues.delete_queue("texts-dead")
    assert counts(id) == ("running", 1502, 1500, 1, 0, 1)
    queues.delete_queue("texts")
    assert counts(id) == ("cancelled", 1502, 0, 1, 0, 1501)
    assert follow_ups.send_due(queues)[0] == 1


def test_members_that_an_rsmq_program_deletes_are_counted_by_the_sweep(texts, queues):
    queues.create_queue("others")
    members = [step("texts", "a"), step("texts", "phantom"), *[step("others", "b")] * 3]
    id = batch(members, on_failure=step(tasks.add, b=1)).enqueue()
    message, phantom = queues.peek_messages("texts")
    queues.redis.zrem(queues.keys.schedule("texts"), message.id)
    queues.redis.hdel(queues.keys.attributes("texts"), message.id, phantom.id)
    list(sweep.sweep(queues.session, "texts"))
    assert counts(id)[-1] == 2
    queues.redis.delete(queues.keys.schedule("others"), queues.keys.attributes("others"))
    sweep.sweep_lost_queues(queues.session)
    assert counts(id) == ("cancelled", 5, 0, 0, 0, 5)
    assert follow_ups.send_due(queues)[0] == 1


def test_messages_that_cannot_be_sent_hide_no_others(texts, queues):
    follow_up = {"id": "1" * 32, "queue": "texts", "body": "good"}
    fields = {f"{number:0200}": "{}" for number in range(500)}
    queues.redis.hset(queues.keys.follow_ups(), mapping={**fields, "1" * 32: json.dumps(follow_up)})
    forwarder = Forwarder(queues)
    for _ in range(12):
        forwarder.step()
    assert [message.body for message in queues.peek_messages("texts")] == ["good"]


def test_a_failed_member_whose_dead_letter_is_deleted_counts_as_cancelled(texts, queues):
    texts.refused.add("bad")
    id = batch([step("texts", "bad"), step("texts", "good")], on_failure=step("texts", "failure")).enqueue()
    run_pending()
    assert counts(id) == ("dead", 2, 0, 1, 1, 0)
    [letter] = queues.peek_messages("texts-dead")
    assert queues.delete_message("texts-dead", letter.id) == 1
    assert counts(id) == ("cancelled", 2, 0, 1, 0, 1)
    assert run_pending() == []
    assert texts.count("failure") == 1


def test_a_batch_in_a_transaction_is_sent_at_its_commit(backend, texts, django_capture_on_commit_callbacks):
    backend(OPTIONS={"enqueue_on_commit": True})
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        ids = chain(step(tasks.add, 1), step("texts")).enqueue()
        id = batch([step(tasks.add, 1)], on_success=step("texts", "success")).enqueue()
        batch([batch([])], on_success=step(tasks.add, b=1)).enqueue()
        assert run_pending() == []
        with pytest.raises(BatchNotFound):
            get_batch(id)
    assert len(run_pending()) == 5
    assert len(ids) == 2
    assert texts == ["2", "success"]


def test_a_send_that_fails_at_the_commit_names_the_batch(backend, queues, django_capture_on_commit_callbacks):
    backend(OPTIONS={"enqueue_on_commit": True})
    with (
        pytest.raises(EnqueueFailed) as raised,
        django_capture_on_commit_callbacks(execute=True),
        transaction.atomic(),
    ):
        id = batch([step(tasks.add, 1), step("nowhere", "x")]).enqueue()
    assert raised.value.id == id


def test_batches_that_are_nested_too_deep_are_refused(queues):
    whole = batch([])
    for _ in range(10):
        whole = batch([whole])
    with pytest.raises(QueueError, match="10 deep"):
        whole.enqueue()


def test_wrong_parts_are_refused():
    for make in (
        lambda: chain(),
        lambda: chain(tasks.add),
        lambda: batch([tasks.add]),
        lambda: batch([], on_success=tasks.add),
        lambda: batch([], on_failure="texts"),
        lambda: batch([], on_success=batch([])),
        lambda: step("texts", "a", "b"),
        lambda: step(tasks.add.func),
        lambda: step(step(tasks.add)),
    ):
        with pytest.raises(TypeError, match="step|chain"):
            make()


# --- limits of steps --------------------------------------------------------------------------


def keys_in(client, queue="default"):
    """The keys of the limits of the messages in a queue."""
    return [shown_key(message.headers).rpartition(".")[2] for message in client.peek_messages(queue)]


def test_the_first_steps_of_chains_and_the_members_of_batches_have_the_limit_of_their_task(texts, queues):
    chain(step(tasks.rebuild), step(tasks.add, 1)).enqueue()
    batch([step(tasks.rebuild), chain(step(tasks.call_api, "ada"), step("texts"))]).enqueue()
    assert sorted(keys_in(queues)) == ['call_api "ada"', "rebuild", "rebuild"]


def test_a_later_step_has_a_limit_whose_key_is_made_of_the_result(texts, queues):
    queues.create_queue("keyed")
    handlers.handler("keyed")(policy(concurrency=1, key=lambda body: body)(lambda message: None))
    chain(step(tasks.add, 1, 2), step(tasks.call_api), step("keyed")).enqueue()
    run_pending("default", limit=1)
    assert keys_in(queues) == ["call_api 3"]
    run_pending("default")
    [message] = queues.peek_messages("keyed")
    assert message.body == '"/"'
    assert shown_key(message.headers).endswith(json.dumps(message.body))


def test_a_callback_has_the_limit_of_its_task(texts, queues):
    id = batch([step(tasks.add, 1, 2)], on_success=step(tasks.call_api)).enqueue()
    run_pending("default", limit=1)
    assert keys_in(queues) == [f'call_api "{id}"']


def test_a_step_whose_key_cannot_be_made_runs_and_fails(texts, queues, caplog):
    chain(step(tasks.add, 1, 2), step(tasks.call_api, customer="ada")).enqueue()
    run_pending("default", limit=1)
    assert keys_in(queues) == [""]
    assert "call_api fails" in caplog.text


def test_a_callback_that_is_too_long_is_refused_before_anything_is_sent(texts, queues):
    long = step("texts", "x" * 600_000)
    with pytest.raises(QueueError, match="headers"):
        batch([step("texts", "a")], on_success=chain(long, long, long)).enqueue()
    assert queues.get_queue_attributes("texts").msgs == 0
