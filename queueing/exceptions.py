"""The errors of this package.

``error.name`` and ``str(error)`` are RSMQ's own name and text, so that a program can be ported from Node.
Errors that RSMQ does not have are named in the same style.
"""


class QueueError(Exception):
    """Base class of all errors of this package. ``name`` is the error's name in RSMQ's style."""

    name = "queueError"
    text = "The queue refused the request"

    def __init_subclass__(cls) -> None:
        if cls.__module__ == __name__:
            cls.name = cls.__name__[0].lower() + cls.__name__[1:]

    def __init__(self, text: str | None = None) -> None:
        super().__init__(text or self.text)


class NoAttributeSupplied(QueueError):
    """``set_queue_attributes`` was called without an attribute to set."""

    text = "No attribute was supplied"


class MissingParameter(QueueError):
    """A required parameter was empty or absent."""

    def __init__(self, item: str) -> None:
        super().__init__(f"No {item} supplied")


class InvalidFormat(QueueError):
    """A queue name or a message id does not have the form that RSMQ allows."""

    def __init__(self, item: str) -> None:
        super().__init__(f"Invalid {item} format")


class InvalidValue(QueueError):
    """A number is outside its bounds. The error's text gives the bounds in the unit of the parameter."""

    def __init__(self, item: str, low: int, high: int) -> None:
        super().__init__(f"{item} must be between {low} and {high}")


class MessageNotString(QueueError):
    """The body of a message is not a ``str``."""

    text = "Message must be a string"


class MessageTooLong(QueueError):
    """The message has more UTF-16 code units than the queue's ``maxsize``."""

    text = "Message too long"


class QueueNotFound(QueueError):
    """The queue does not exist."""

    text = "Queue not found"


class QueueExists(QueueError):
    """The queue already exists."""

    text = "Queue exists"


class ScheduleNotFound(QueueError):
    """No worker has registered a schedule with this name."""

    text = "Schedule not found"


class BatchNotFound(QueueError):
    """The batch does not exist, or it ended more than a week ago."""

    text = "Batch not found"


class BatchClosed(QueueError):
    """The batch has ended or was cancelled, so it cannot be changed.

    ``Batch.enqueue`` also raises it if the process paused for a minute before all members were sent.
    """

    text = "The batch is closed"


class QueueFull(QueueError):
    """Redis has reached its ``maxmemory`` and accepts no new messages. Workers still drain the queues."""

    text = "Redis is full: it takes no new messages until some are processed or it gets more memory"


class QueueUnavailable(QueueError):
    """Redis did not answer. The call has changed nothing, or can be repeated safely.

    The subclass ``ReplyLost`` is the exception: its call may have taken effect, and a repeat may have the
    effect twice. ``partition`` is the name of the partition that did not answer, or ``""`` if the project has
    no ``PARTITIONS``.
    """

    text = "Redis does not answer"
    partition = ""


class QueueRefused(QueueUnavailable):
    """Redis refused the call before it changed anything. The same call may succeed later.

    ``is_lasting`` is true if the call keeps failing until an operator changes something, such as a
    permission.
    """

    def __init__(self, text: str | None = None, *, is_lasting: bool = False) -> None:
        super().__init__(text)
        self.is_lasting = is_lasting


class NewerFormat(QueueRefused):
    """A newer release has stored keys in the namespace in a format that this release cannot read."""

    def __init__(self, namespace: str, found: int, known: int) -> None:
        super().__init__(
            f"A newer release has written the namespace {namespace} in format {found}, and this release "
            f"knows formats up to {known}: install the newer release here, too",
            is_lasting=True,
        )


class SpoiltKey(QueueError):
    """Another program has overwritten a key of a queue with a value of a wrong Redis type.

    ``key`` is the name of the key, ``found`` is the type that it has, and ``wanted`` the type that it should
    have. The error's text names the command that repairs the key.
    """

    def __init__(self, key: str, found: str, wanted: str) -> None:
        super().__init__(
            f"The key {key} holds a {found}, and a {wanted} belongs there: "
            '"manage.py queues sweep" sets it aside, and nothing is deleted'
        )
        self.key, self.found, self.wanted = key, found, wanted


class ReplyLost(QueueUnavailable):
    """The connection broke during a call that must not be repeated. The call may have taken effect."""


class NotReplicated(ReplyLost):
    """The primary has stored the messages, but fewer replicas than ``DURABLE`` have confirmed them in time.

    A failover may lose the messages. If the caller repeats the call without a ``deduplication_id``, they are
    sent twice.
    """

    def __init__(self, confirmed: int, wanted: int) -> None:
        super().__init__(
            f"The messages are stored, and a failover may lose them: {confirmed} of {wanted} replicas "
            "confirmed them in time"
        )


class EnqueueFailed(QueueError):
    """A task, chain or batch could not be sent after the commit of its transaction.

    ``__cause__`` is the reason. ``id`` is the id of what was not sent: of the task's result, of the first
    step of the chain, or of the batch.
    """

    def __init__(self, id: str, task: str, cause: Exception) -> None:
        super().__init__(f"The task {task} ({id}) was not sent after the commit: {cause}")
        self.id = id


class UnknownTask(QueueError):
    """A message names a task that this project does not have. A newer release may have it."""

    may_come = True


class ResultRefused(QueueError):
    """A task returned a value that cannot be stored as its result.

    The task is not retried, because its code has run.
    """


class TaskCancelled(QueueError):
    """A task was cancelled before it ran, or was stopped. The ``errors`` of its result name this class."""


class TaskCrashed(QueueError):
    """The process of a task died while the task ran. The ``errors`` of the task's result name this class."""


class NoHandler(QueueError):
    """No handler is registered for a queue from which a worker takes messages."""


class NotOwner(QueueError):
    """The outcomes that wait in Redis (the outbox) belong to the database of another project."""

    def __init__(self, namespace: str) -> None:
        super().__init__(
            f"The outbox of the namespace {namespace} belongs to the database of another project. Give each "
            'project a namespace of its own: QUEUEING["NAMESPACE"]. If it is the same project with a new '
            'database, run "manage.py queues take-outbox"'
        )
