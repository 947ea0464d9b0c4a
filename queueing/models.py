"""Tables for processed jobs and for messages to send after a commit, and models for data in Redis."""

import json
from datetime import datetime, tzinfo
from typing import Any

from django.conf import settings
from django.db import models, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from queueing.text.printable import printable

from .broker import decode
from .broker.outcomes import ENDS
from .messages import Draft

END_CHOICES = [(word, end.label) for word, end in ENDS.items()]


class Written(models.Manager):
    """A manager that reads from the database to which Django writes, not from a replica.

    An outcome is removed from Redis as soon as the database for writes has it. A replica may not have it yet.
    """

    @property
    def db(self) -> str:
        """The alias of the database to which Django writes."""
        return self._db or router.db_for_write(self.model, **self._hints)  # type: ignore[attr-defined]

    def get_queryset(self) -> models.QuerySet:
        return super().get_queryset().using(self.db)


class Moment(models.DateTimeField):
    """A ``DateTimeField`` whose values are always aware. Without ``USE_TZ``, it stores local times."""

    def deconstruct(self) -> Any:
        """Name Django's ``DateTimeField`` as the class, so that migrations do not depend on ``Moment``."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.DateTimeField", args, kwargs

    def get_db_converters(self, connection: BaseDatabaseWrapper) -> list[Any]:
        """Return a converter that makes naive times from the database aware, if ``USE_TZ`` is ``False``."""
        return [] if settings.USE_TZ else [_aware]

    def get_prep_value(self, value: Any) -> Any:
        """Convert a time to the form that the database stores."""
        return stored(super().get_prep_value(value))


def stored(at: datetime | None) -> datetime | None:
    """Convert a time to the form that the database stores: a local time if ``USE_TZ`` is ``False``."""
    return timezone.make_naive(at, _zone()) if at and not settings.USE_TZ and timezone.is_aware(at) else at


def _aware(at: datetime | None, *_: Any) -> datetime | None:
    return timezone.make_aware(at, _zone()) if at and timezone.is_naive(at) else at


def _zone() -> tzinfo:
    return timezone.get_default_timezone()


class Job(models.Model):
    """A processed message with its newest outcome. All outcomes are in the related ``Attempt`` rows."""

    queue = models.CharField(_("queue"), max_length=160)
    message_id = models.CharField(_("message id"), max_length=64)
    handler = models.CharField(_("handler"), max_length=255, blank=True)
    state = models.CharField(_("state"), max_length=16, choices=END_CHOICES)
    rc = models.PositiveBigIntegerField(_("receive count"))
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    crashes = models.PositiveIntegerField(_("crashes"), default=0)
    sent_at = Moment(_("sent"), null=True)
    started_at = Moment(_("started"), null=True)
    finished_at = Moment(_("finished"))
    wait_ms = models.FloatField(_("wait (ms)"), null=True)
    run_ms = models.FloatField(_("run (ms)"), null=True)
    worker = models.CharField(_("worker"), max_length=255, blank=True)
    body = models.TextField(_("payload"), blank=True)
    #: Whether ``body`` is the complete payload. It may be cut, escaped or not stored.
    body_is_whole = models.BooleanField(_("payload is whole"), default=False)
    error = models.TextField(_("error"), blank=True)
    #: The failure of the newest attempt: the class of its exception, or a text for a crash. NULL without a
    #: failure, so that the indexes leave out the row.
    exception = models.CharField(_("exception"), max_length=255, null=True)  # noqa: DJ001
    #: The return value of a task as JSON.
    result = models.TextField(_("result"), blank=True)

    objects = Written()

    class Meta:
        verbose_name = _("processed job")
        verbose_name_plural = _("processed jobs")
        permissions = [
            ("rerun_job", _("Can run processed jobs again")),
            ("redrive_job", _("Can redrive dead jobs")),
            ("cancel_job", _("Can cancel jobs that have not started")),
            ("stop_job", _("Can stop jobs that run")),
        ]
        constraints = [models.UniqueConstraint(fields=["queue", "message_id"], name="queueing_job_message")]
        indexes = [
            models.Index(fields=["-finished_at", "-id"], name="queueing_job_newest"),
            models.Index(fields=["state", "-finished_at", "-id"], name="queueing_job_state"),
            models.Index(fields=["queue", "-finished_at", "-id"], name="queueing_job_queue"),
            models.Index(fields=["handler", "-finished_at", "-id"], name="queueing_job_handler"),
            # The index has no rows of successful jobs, so it costs them nothing.
            models.Index(
                fields=["exception", "-finished_at", "-id"],
                name="queueing_job_exception",
                condition=models.Q(exception__isnull=False),
            ),
            models.Index(
                fields=["exception", "handler", "-finished_at", "-id"],
                name="queueing_job_failing",
                condition=models.Q(exception__isnull=False),
            ),
            # PostgreSQL needs this kind of index for searches by prefix. Other databases ignore the option.
            models.Index(
                fields=["message_id"], name="queueing_job_message_id", opclasses=["varchar_pattern_ops"]
            ),
        ]

    def __str__(self) -> str:
        return self.message_id

    @property
    def runs_again(self) -> bool:
        """Whether the message is still in the queue after its newest delivery."""
        end = ENDS.get(self.state)
        return end is not None and end.runs_again


class Attempt(models.Model):
    """The outcome of one delivery of a message."""

    #: This column has no index of its own: searches by job use the unique index of job and receive count.
    job = models.ForeignKey(
        Job, models.CASCADE, related_name="history", verbose_name=_("job"), db_index=False
    )
    rc = models.PositiveBigIntegerField(_("receive count"))
    outcome = models.CharField(_("outcome"), max_length=16, choices=END_CHOICES)
    handler = models.CharField(_("handler"), max_length=255, blank=True)
    started_at = Moment(_("started"), null=True)
    finished_at = Moment(_("finished"))
    worker = models.CharField(_("worker"), max_length=255, blank=True)
    error = models.TextField(_("error"), blank=True)
    exception = models.CharField(_("exception"), max_length=255, null=True)  # noqa: DJ001
    traceback = models.TextField(_("traceback"), blank=True)

    objects = Written()

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ["rc"]
        constraints = [models.UniqueConstraint(fields=["job", "rc"], name="queueing_attempt_receipt")]
        indexes = [
            # The query that counts failures reads only this index.
            models.Index(
                fields=["-finished_at", "-id", "exception", "handler"],
                name="queueing_attempt_failures",
                condition=models.Q(exception__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rc}: {self.outcome}"


class Identity(models.Model):
    """The token that identifies the database of this project, in a single row.

    Redis stores the token of the database to which outcomes are written.
    """

    token = models.CharField(_("token"), max_length=32)

    objects = Written()

    class Meta:
        verbose_name = _("identity")
        verbose_name_plural = _("identities")
        default_permissions = ()

    def __str__(self) -> str:
        return self.token


class StagedMessage(models.Model):
    """A message that a transaction has stored, to be sent after the commit.

    Its row is deleted when Redis has acknowledged the message.
    """

    queue = models.CharField(_("queue"), max_length=160)
    message_id = models.CharField(_("message id"), max_length=32, unique=True)
    #: Token of the sender. With it and ``number``, Redis recognises a repeat of the same send.
    sender = models.CharField(_("sender"), max_length=32)
    number = models.PositiveBigIntegerField(_("number of the send"))
    #: The queue of the task, empty if the message is not a task.
    task_queue = models.CharField(_("queue of the task"), max_length=160, blank=True)
    #: Bytes, because a database cannot hold every text that a queue can.
    body = models.BinaryField(_("payload"))
    #: JSON as text, because the system check of a JSONField sends a query to the database.
    headers = models.TextField(_("headers"), blank=True)
    priority = models.PositiveSmallIntegerField(_("priority"), default=0)
    due_ms = models.BigIntegerField(_("due (ms)"), null=True)
    staged_at = Moment(_("staged"), default=timezone.now)
    is_refused = models.BooleanField(_("refused"), default=False)
    refusal = models.CharField(_("reason"), max_length=255, blank=True)

    objects = Written()

    class Meta:
        verbose_name = _("staged message")
        verbose_name_plural = _("staged messages")
        default_permissions = ("view", "delete")
        permissions = [("retry_stagedmessage", _("Can send refused messages again"))]
        indexes = [models.Index(fields=["is_refused", "id"], name="queueing_staged_waiting")]

    def __str__(self) -> str:
        return self.message_id

    @property
    def state(self) -> str:
        """``refused`` if Redis has refused the message, else ``waiting``."""
        return "refused" if self.is_refused else "waiting"

    def draft(self) -> Draft:
        """The message to send."""
        return Draft(
            body=decode.text(bytes(self.body)),
            due_ms=self.due_ms,
            headers=json.loads(self.headers or "{}"),
            priority=self.priority,
            id=self.message_id,
        )


class NoRows(models.Manager):
    """The manager of a model without a table: queries return no rows."""

    def get_queryset(self) -> models.QuerySet:
        return super().get_queryset().none()


class InRedis(models.Model):
    """Base class of the admin's models without a table. Such a model has only a name and permissions.

    The admin reads all other values from Redis at each request.
    """

    name = models.CharField(_("name"), max_length=160, primary_key=True)

    objects = NoRows()

    class Meta:
        abstract = True
        managed = False

    def __str__(self) -> str:
        """The name with unprintable characters escaped: other programs may use any name."""
        return printable(self.name)


class Queue(InRedis):
    """A queue. Adding, changing and deleting require Django's default permissions.

    Each other action has its own permission. All of these permissions work only together with ``view_queue``.
    """

    class Meta(InRedis.Meta):
        verbose_name = _("queue")
        verbose_name_plural = _("queues")
        permissions = [
            ("pause_queue", _("Can pause and resume queues")),
            ("send_message", _("Can send messages")),
            ("purge_queue", _("Can delete all messages of a queue")),
            ("redrive_queue", _("Can move dead letters back")),
            ("move_messages", _("Can move messages to another queue")),
        ]


class Worker(InRedis):
    """A worker. Each action requires its own permission and ``view_worker``."""

    class Meta(InRedis.Meta):
        verbose_name = _("worker")
        verbose_name_plural = _("workers")
        default_permissions = ("view",)
        permissions = [
            ("quiet_worker", _("Can quiet and resume workers")),
            ("acknowledge_lost", _("Can take note of lost outcomes")),
        ]


class Schedule(InRedis):
    """A schedule in the code of a project. Each action requires its own permission and ``view_schedule``."""

    class Meta(InRedis.Meta):
        verbose_name = _("schedule")
        verbose_name_plural = _("schedules")
        default_permissions = ("view",)
        permissions = [
            ("pause_schedule", _("Can pause and resume schedules")),
            ("run_schedule", _("Can send the message of a schedule now")),
        ]


class Batch(InRedis):
    """A batch that was sent. Each action requires its own permission and ``view_batch``."""

    class Meta(InRedis.Meta):
        verbose_name = _("batch")
        verbose_name_plural = _("batches")
        default_permissions = ("view",)
        permissions = [
            ("retry_batch", _("Can redrive the dead members of batches")),
            ("cancel_batch", _("Can cancel batches")),
        ]
