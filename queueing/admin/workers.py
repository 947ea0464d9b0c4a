"""The page of workers: their state, their queues, the jobs that they run, and the actions on workers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from queueing.broker import outbox
from queueing.broker.outcomes import State
from queueing.client import QueueClient
from queueing.conf import get_conf
from queueing.exceptions import QueueError, QueueUnavailable
from queueing.messages import Progress
from queueing.monitoring import outboxes
from queueing.monitoring.workers import RunningMessage, Worker, all_workers, quiet_worker, resume_worker
from queueing.templatetags.queueing_text import visible

from .base import message_url
from .redis_rows import RowAction, RowPage

#: The maximum numbers of running messages and of queues that the page shows for each worker.
RUNNING_SHOWN, QUEUES_SHOWN = 20, 50
#: Seconds without a heartbeat after which a worker counts as dead.
DEAD_SECONDS = 60.0
WORDS = {
    "busy": gettext_lazy("busy"),
    "idle": gettext_lazy("idle"),
    "quiet": gettext_lazy("quiet"),
    "stale": gettext_lazy("silent"),
    "dead": State.DEAD.label,
    "lost": gettext_lazy("lost"),
}


class Quiet(RowAction):
    """Quiet a worker: it claims no more messages."""

    name = "quiet"
    permission = "quiet_worker"
    label = gettext_lazy("Quiet")

    def act(self, client: QueueClient, name: str) -> str | None:
        found = [quiet_worker(part.session, name) for part in client.parts]
        if not any(found):
            return None
        return _("The worker %s becomes quiet: it finishes its jobs, and claims no more.") % name


class Resume(RowAction):
    """Resume a quiet worker: it claims messages again."""

    name = "resume"
    permission = "quiet_worker"
    label = gettext_lazy("Resume")

    def act(self, client: QueueClient, name: str) -> str | None:
        found = [resume_worker(part.session, name) for part in client.parts]
        return _("The worker %s resumes: it claims messages again.") % name if any(found) else None


class Acknowledge(RowAction):
    """Acknowledge lost outcomes, which are missing in the history. This ends the warning about them.

    The field ``name`` of the request has the number of lost outcomes.
    """

    name = "acknowledge"
    permission = "acknowledge_lost"
    label = gettext_lazy("Take note")

    @classmethod
    def title_of(cls, name: str) -> str:
        return "outbox"

    def act(self, client: QueueClient, name: str) -> str | None:
        count = (
            outboxes.acknowledge(client, int(name))
            if name.isascii() and name.isdigit() and len(name) < 16
            else 0
        )
        said = ngettext("Took note of %d lost outcome.", "Took note of %d lost outcomes.", count)
        return said % count if count else None


@dataclass(frozen=True, slots=True)
class Run:
    """A message that a worker was running at its last heartbeat.

    ``seconds`` is the time for which the message had run at that heartbeat.
    """

    id: str
    queue: str
    seconds: float
    url: str
    progress: Progress | None


@dataclass(frozen=True, slots=True)
class Row:
    """The data of one worker for the template."""

    worker: Worker
    running: list[Run]
    queues: list[tuple[str, str]]
    verbs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return visible(self.worker.name)

    @property
    def state(self) -> str:
        if self.worker.is_lost:
            return "lost"
        return "dead" if self.worker.age_seconds > DEAD_SECONDS else self.worker.state

    @property
    def word(self) -> str:
        return str(WORDS[self.state])

    @property
    def is_waiting(self) -> bool:
        """Whether the worker has not yet followed a user's request to quiet or to resume."""
        return self.worker.is_alive and self.worker.is_quiet != self.worker.is_quiet_wanted

    @property
    def more(self) -> int:
        return self.worker.busy - len(self.running)

    @property
    def up_seconds(self) -> float | None:
        """The seconds from the worker's start to its last heartbeat, or ``None`` if they are not known."""
        started_ms = self.worker.started_ms
        return (self.worker.last_beat_ms - started_ms) / 1000 if self.worker.pid else None


@dataclass(frozen=True, slots=True)
class Known:
    """The data of the page, read from Redis.

    ``progress`` maps (queue, id) to the progress of a running job. ``queues`` has the queues that exist. A
    worker may also take messages from a queue that does not exist yet.
    """

    workers: list[Worker]
    queues: frozenset[str]
    progress: Mapping[tuple[str, str], Progress]
    outbox: outbox.Stats


class WorkerAdmin(RowPage):
    """All workers of the namespace. Workers that died in the last hour are listed at the end."""

    verbs = (Quiet, Resume, Acknowledge)

    def read(self, client: QueueClient) -> Known:
        workers = sorted(all_workers(client), key=lambda worker: (not worker.is_alive, worker.name))
        ids: dict[str, list[str]] = {}
        for worker in workers:
            for run in _shown(worker) if worker.is_alive else ():
                ids.setdefault(run.queue, []).append(run.id)
        progress = {key: one for queue in ids for key, one in _progress(client, queue, ids[queue])}
        return Known(workers, frozenset(client.list_queues()), progress, outboxes.stats(client))

    def context(self, request: HttpRequest, known: Known) -> dict[str, Any]:
        alive = [worker for worker in known.workers if worker.is_alive]
        return {
            "rows": [self._row(request, worker, known) for worker in known.workers],
            "may_steer": self.may(request, "quiet_worker"),
            "outbox": known.outbox,
            "outbox_max": get_conf().OUTBOX_MAX,
            "outbox_verbs": self.buttons(request, "", Acknowledge) if known.outbox.unseen else [],
            "alive": len(alive),
            "busy": sum(worker.busy for worker in alive),
            "capacity": sum(worker.capacity for worker in alive),
        }

    def _row(self, request: HttpRequest, worker: Worker, known: Known) -> Row:
        linked = known.queues if self.sees_queues(request) else frozenset()
        running = [
            Run(
                id=run.id,
                queue=run.queue,
                seconds=(worker.last_beat_ms - run.started_ms) / 1000,
                url=message_url(self.admin_site, run.queue, run.id) if run.queue in linked else "",
                progress=known.progress.get((run.queue, run.id)),
            )
            for run in _shown(worker)
        ]
        queues = self.links(request, worker.queues[:QUEUES_SHOWN], known.queues)
        offered = [Resume if worker.is_quiet_wanted else Quiet] if worker.is_alive else []
        return Row(worker, running, queues, self.buttons(request, worker.name, *offered))


def _shown(worker: Worker) -> list[RunningMessage]:
    return [run for child in worker.children for run in child.running][:RUNNING_SHOWN]


def _progress(client: QueueClient, queue: str, ids: list[str]) -> Iterator[tuple[tuple[str, str], Progress]]:
    try:
        found = client.progress_of(queue, ids)
    except QueueUnavailable:
        raise
    except (QueueError, ValueError):  # a foreign record names an impossible queue
        return
    for id, progress in found.items():
        yield (queue, id), progress
