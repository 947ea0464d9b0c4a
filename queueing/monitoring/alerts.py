"""Alerts, such as queues without a worker, a Redis that evicts keys, or an outbox that overflows.

The console and ``manage.py queues`` show these alerts, so that both give the same warnings.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial

from django.db import DatabaseError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from queueing.broker import outbox
from queueing.broker.keys import is_dead_letter_queue
from queueing.broker.scripts import Call
from queueing.client import QueueClient, sweep
from queueing.client.partitioned import ASK_SECONDS
from queueing.client.relocation import remainders
from queueing.conf import get_conf
from queueing.exceptions import QueueError, QueueFull, QueueRefused, QueueUnavailable, SpoiltKey
from queueing.history import ownership
from queueing.messages import QueueFigures
from queueing.resilience import deadline
from queueing.resilience.single_flight import SingleFlight
from queueing.scheduling.store import spoilt_schedules
from queueing.text.humanize import duration, visible

from .workers import Worker, all_workers

logger = logging.getLogger("queueing")

#: An alert is given for a queue without a worker if a message is ready for longer than this. A program that
#: uses RSMQ would have received it by then.
UNATTENDED_SECONDS = 60.0
#: An alert is given if the outbox is filled to more than this fraction.
OUTBOX_FULL = 0.8
#: An alert is given if an outcome waits in the outbox for longer than this. A running recorder is faster.
OUTBOX_LATE_SECONDS = 60.0
#: Limits for the alerts about all queues: the most queues that are checked, and the most queues that get an
#: alert of their own.
LOOKED_AT, TOLD = 1000, 5


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert: its kind for programs, its text for people, and its queue.

    ``queue`` is ``""`` if the alert is not about one queue.
    """

    kind: str
    text: str
    queue: str = ""


def read(
    client: QueueClient, figures: Sequence[QueueFigures], names: Sequence[str] | None = None
) -> list[Alert]:
    """Read the present alerts about the given queues, and the alerts that concern no single queue.

    ``names`` are the names of the queues to check, by default those in ``figures``. They may include queues
    without figures, such as a queue with a key of a wrong type. If an alert cannot be read, another alert
    reports this. Takes a few round trips. Raises ``QueueUnavailable``.
    """
    client = client.reachable()
    asked = [queue.name for queue in figures] if names is None else names

    def of_workers() -> Iterator[Alert]:
        workers = all_workers(client)
        yield from _silent(workers)
        yield from _unattended(client, figures, workers)

    found = [*_tolerant(lambda: _away(client)), *_tolerant(lambda: _left_behind(client))]
    for part in client.parts:
        own = [name for name in asked if not client.routing or client.routing.place(name) == part.partition]
        partition = part.partition if client.routing else ""
        of_part = (partial(_spoilt, part, own), *(partial(_named, one, part, partition) for one in OF_EACH))
        found += [alert for read in of_part for alert in _tolerant(read, partition)]
    # Several parts may report the same spoilt key.
    return list(dict.fromkeys([*found, *_tolerant(of_workers)]))


def _named(
    read: Callable[[QueueClient], Iterator[Alert]], client: QueueClient, partition: str
) -> Iterator[Alert]:
    """The alerts that ``read`` yields for a partition, with its name if the project has several."""
    for alert in read(client):
        words = {"name": partition, "reason": alert.text}
        yield replace(alert, text=_("Partition %(name)s: %(reason)s") % words) if partition else alert


def _tolerant(part: Callable[[], Iterable[Alert]], partition: str = "") -> list[Alert]:
    """Return the alerts that ``part`` reads from ``partition``.

    If ``part`` fails, one alert with the reason is returned. Only ``QueueUnavailable`` is raised, because no
    other error of an alert may break a page.
    """
    try:
        return list(part())
    except QueueUnavailable:
        raise
    except QueueError as error:
        if partition and not isinstance(error, SpoiltKey):
            text = _("Partition %(name)s: %(reason)s")
            return [Alert("spoilt", text % {"name": partition, "reason": _said(error)})]
        return [Alert("spoilt", _said(error))]
    except Exception:
        logger.exception("a warning cannot be read")
        return [Alert("spoilt", _("A warning cannot be read. The log of this process has the reason."))]


def _spoilt(client: QueueClient, names: Sequence[str]) -> Iterator[Alert]:
    # The figures of a queue count its dead letters.
    dead = map(client.dead_letter_queue, names)
    for error in sweep.spoilt_keys(client.session, list(dict.fromkeys([*names, *dead]))):
        yield Alert("spoilt", _said(error))
    for name in spoilt_schedules(client.session):
        text = _(
            "The schedule %(name)s in the key %(key)s cannot be read. A worker that has it in its code "
            "starts it again within a minute. If none does, delete it with redis-cli HDEL."
        )
        yield Alert("spoilt", text % {"name": visible(name), "key": client.keys.schedules()})


def _said(error: QueueError) -> str:
    return f"{visible(str(error)).removesuffix('.')}."


def spoilt_keys(client: QueueClient, names: Sequence[str]) -> list[str]:
    """The Redis keys of these queues that have a wrong type, without those that Redis refuses to check."""
    found: list[str] = []
    with incomplete_if_refused():
        for part, of_part in client.split(names) or [(client, [])]:
            found += [error.key for error in sweep.spoilt_keys(part.session, of_part)]
    return found


@contextmanager
def incomplete_if_refused() -> Iterator[None]:
    """Context manager that logs and suppresses a ``QueueError``, so that the rest of a scrape is returned.

    ``QueueUnavailable`` is not suppressed.
    """
    try:
        yield
    except QueueUnavailable:
        raise
    except QueueError as error:
        logger.warning("a scrape is incomplete: %s", error)


def current(client: QueueClient) -> list[Alert]:
    """The alerts about all queues, at most a few seconds old. Raises ``QueueUnavailable``."""
    return _current.get(client).value


def forget() -> None:
    """Drop the cached alerts after an action of a user, so that ``current`` reads them again."""
    _current.forget()


def _read_all(client: QueueClient) -> list[Alert]:
    client = client.reachable()
    names = sorted(client.list_queues())[:LOOKED_AT]
    found = read(client, client.queue_figures(names), names)
    general = [alert for alert in found if not alert.queue]
    unattended = [alert for alert in found if alert.queue]
    return [*general, *unattended[:TOLD], *_untold(len(unattended) - TOLD)]


#: Alerts are cached for a few seconds, because they change slowly.
_current: SingleFlight[QueueClient, list[Alert]] = SingleFlight(_read_all, seconds=3, most=16, has_texts=True)


def _untold(count: int) -> Iterator[Alert]:
    if count > 0:
        text = ngettext(
            "There is %d more queue that no worker takes.",
            "There are %d more queues that no worker takes.",
            count,
        )
        yield Alert("unattended", text % count)


def _away(client: QueueClient) -> Iterator[Alert]:
    for name in client.away:
        if refusal := client.refusals[name]:
            text = _("The partition %(name)s is not shown: %(refusal)s.")
            yield Alert("partition away", text % {"name": name, "refusal": visible(refusal)})
        else:
            text = _("The partition %s does not answer. Its queues are not shown, and their jobs wait.")
            yield Alert("partition away", text % name)


def _left_behind(client: QueueClient) -> Iterator[Alert]:
    for one in remainders(client)[:TOLD]:
        text = ngettext(
            "%(count)d message of %(queue)s is on the partition %(partition)s, but PLACES puts the queue on "
            "%(place)s. Move it with manage.py queues relocate %(queue)s.",
            "%(count)d messages of %(queue)s are on the partition %(partition)s, but PLACES puts the queue "
            "on %(place)s. Move them with manage.py queues relocate %(queue)s.",
            one.count,
        )
        words = {"queue": visible(one.queue), "partition": one.partition, "place": one.place}
        yield Alert("left behind", text % {"count": one.count, **words})


def _refusal(client: QueueClient) -> Iterator[Alert]:
    """Yield an alert if Redis refuses to store messages. The pages can be read in spite of that."""
    call = Call("accepts_sends", [client.keys.never(), client.keys.queues()])
    try:
        with deadline.within(ASK_SECONDS):
            client.session.call(call)
    except QueueFull:
        text = _(
            "Redis is full and refuses new messages; workers still process those that it has. Raise its "
            "maxmemory, start more workers, or purge queues whose messages nobody needs."
        )
        yield Alert("full", text)
    except QueueRefused as error:
        yield Alert("refused", _said(error).removeprefix(f"Partition {error.partition}: "))


def _eviction(client: QueueClient) -> Iterator[Alert]:
    policy = client.session.eviction_policy()
    if policy in (None, "noeviction"):
        return
    if policy.startswith("volatile"):
        # Queues do not expire, but the records by which a repeated send is recognised do.
        text = _(
            "Redis' maxmemory-policy is %s: a full Redis forgets what it has answered, so a send that is "
            "repeated may store its message twice. Set it to noeviction."
        )
    else:
        text = _("Redis' maxmemory-policy is %s: a full Redis deletes whole queues. Set it to noeviction.")
    yield Alert("eviction", text % visible(policy))


def _outbox(client: QueueClient) -> Iterator[Alert]:
    stats = outbox.stats(client.session)
    if stats.size_bytes >= OUTBOX_FULL * get_conf().OUTBOX_MAX:
        percent = min(100, round(100 * stats.size_bytes / get_conf().OUTBOX_MAX))
        text = _(
            "The outbox is %(percent)d %% full: outcomes of jobs wait to be written to the database. "
            "Check that a worker runs and that the database answers. Outcomes that do not fit are lost."
        )
        yield Alert("outbox full", text.replace(" %%", "\xa0%%") % {"percent": percent})
    elif stats.oldest_seconds >= OUTBOX_LATE_SECONDS:
        text = _(
            "Outcomes of jobs wait to be written to the database, the oldest for %(age)s. "
            "Check that a worker runs, and its log: the database may be away or refuse them."
        )
        yield Alert("outbox late", text % {"age": duration(stats.oldest_seconds)})
    if stats.unseen:
        text = ngettext(
            "%(lost)d outcome is missing in the history: it did not fit into the outbox or could not be read "
            "there. "
            "To end this warning, acknowledge it on the page of the workers or with manage.py queues "
            "take-note.",
            "%(lost)d outcomes are missing in the history: they did not fit into the outbox or could not be "
            "read there. "
            "To end this warning, acknowledge them on the page of the workers or with manage.py queues "
            "take-note.",
            stats.unseen,
        )
        yield Alert("outcomes lost", text % {"lost": stats.unseen})


def _owner(client: QueueClient) -> Iterator[Alert]:
    """Yield an alert if the outbox (the outcomes that wait in Redis) belongs to another project's database.

    No alert is given while the database is down.
    """
    with suppress(DatabaseError):
        if not ownership.is_mine(client):
            text = _(
                "The outbox of the namespace %(namespace)s belongs to the database of another project: the "
                "history of this one is not written. Give each project a namespace of its own, or run "
                "manage.py queues take-outbox if it is the same project with a new database."
            )
            yield Alert("outbox owned", text % {"namespace": visible(client.keys.ns)})


#: Functions that read alerts of a partition that concern no single queue.
OF_EACH = (_refusal, _eviction, _outbox, _owner)


def _silent(workers: Sequence[Worker]) -> Iterator[Alert]:
    alive = {worker.given_name for worker in workers if worker.is_alive}
    for worker in workers:
        if worker.is_alive or worker.given_name in alive:
            continue  # The worker runs, or a new one runs under its name.
        words = {"name": visible(worker.name), "age": duration(worker.age_seconds)}
        if worker.is_lost:
            text = _("The supervisor of the worker %(name)s was killed; its last heartbeat was %(age)s ago.")
            yield Alert("lost worker", text % words)
        else:
            text = _("The worker %(name)s has sent no heartbeat for %(age)s.")
            yield Alert("silent worker", text % words)


def _unattended(
    client: QueueClient, figures: Sequence[QueueFigures], workers: Sequence[Worker]
) -> Iterator[Alert]:
    taken = {name for worker in workers if worker.is_alive for name in worker.queues}
    dead = {client.dead_letter_queue(queue.name) for queue in figures}
    for queue in figures:
        is_for_later = queue.paused or queue.name in dead or is_dead_letter_queue(queue.name)
        is_waiting = queue.ready and queue.latency_seconds >= UNATTENDED_SECONDS
        if is_waiting and not is_for_later and queue.name not in taken:
            yield Alert("unattended", _sentence(queue), queue.name)


def _sentence(queue: QueueFigures) -> str:
    text = ngettext(
        "No worker takes %(queue)s: %(ready)d message is ready, and has been for %(latency)s.",
        "No worker takes %(queue)s: %(ready)d messages are ready, the oldest for %(latency)s.",
        queue.ready,
    )
    latency = duration(queue.latency_seconds)
    return text % {"queue": visible(queue.name), "ready": queue.ready, "latency": latency}
