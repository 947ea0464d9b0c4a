"""Every error the queue raises on purpose.

``error.name`` is RSMQ's own error name and ``str(error)`` its own text, so a program that is
ported from Node finds what it looked for. What RSMQ has no name for is named in the same style.
"""


class QueueError(Exception):
    """Base of all errors of this package."""

    name = "queueError"
    text = "The queue refused the request"

    def __init__(self, text: str | None = None) -> None:
        super().__init__(text or self.text)


class NoAttributeSupplied(QueueError):
    """``set_queue_attributes`` was called without anything to set."""

    name = "noAttributeSupplied"
    text = "No attribute was supplied"


class MissingParameter(QueueError):
    """A required parameter was empty or absent."""

    name = "missingParameter"

    def __init__(self, item: str) -> None:
        super().__init__(f"No {item} supplied")


class InvalidFormat(QueueError):
    """A queue name or message id is not of the form that RSMQ allows."""

    name = "invalidFormat"

    def __init__(self, item: str) -> None:
        super().__init__(f"Invalid {item} format")


class InvalidValue(QueueError):
    """A number lies outside its bounds."""

    name = "invalidValue"

    def __init__(self, item: str, low: int, high: int) -> None:
        super().__init__(f"{item} must be between {low} and {high}")


class MessageNotString(QueueError):
    """The message to send is not a ``str``."""

    name = "messageNotString"
    text = "Message must be a string"


class MessageTooLong(QueueError):
    """The message has more UTF-16 code units than the queue's ``maxsize``."""

    name = "messageTooLong"
    text = "Message too long"


class QueueNotFound(QueueError):
    """There is no queue of that name."""

    name = "queueNotFound"
    text = "Queue not found"


class QueueExists(QueueError):
    """A queue of that name is there already."""

    name = "queueExists"
    text = "Queue exists"


class ScheduleNotFound(QueueError):
    """No worker has named a schedule of that name."""

    name = "scheduleNotFound"
    text = "Schedule not found"


class QueueFull(QueueError):
    """Redis has reached its ``maxmemory`` and takes no new messages; what drains still works."""

    name = "queueFull"
    text = "Redis is full: it takes no new messages until some are processed or it gets more memory"


class QueueUnavailable(QueueError):
    """Redis did not answer, and the call changed nothing or may be repeated safely."""

    name = "queueUnavailable"
    text = "Redis does not answer"


class QueueRefused(QueueUnavailable):
    """Redis answered, and refused before anything was changed: the same call may succeed later.

    ``is_lasting``: not before somebody has changed something.
    """

    name = "queueRefused"

    def __init__(self, text: str | None = None, *, is_lasting: bool = False) -> None:
        super().__init__(text)
        self.is_lasting = is_lasting


class SpoiltKey(QueueError):
    """Another program has put a value of another type into a key of the queues.

    ``key`` is its name. The text says what is wrong and how it is repaired.
    """

    name = "spoiltKey"

    def __init__(self, key: str, found: str, wanted: str) -> None:
        super().__init__(
            f"The key {key} holds a {found}, and a {wanted} belongs there: "
            '"manage.py queues sweep" sets it aside, and nothing is deleted'
        )
        self.key, self.found, self.wanted = key, found, wanted


class ReplyLost(QueueUnavailable):
    """Redis went away during a call that must not be repeated: it may have taken effect."""

    name = "replyLost"


class EnqueueFailed(QueueError):
    """A task that was to be sent at the commit of its transaction could not be.

    ``id`` is that of its result, which will never be there. The cause is in ``__cause__``.
    """

    name = "enqueueFailed"

    def __init__(self, id: str, task: str, cause: Exception) -> None:
        super().__init__(f"The task {task} ({id}) was not sent after the commit: {cause}")
        self.id = id


class UnknownTask(QueueError):
    """A message asks for a task that this project does not have."""

    name = "unknownTask"
    may_come = True


class ResultRefused(QueueError):
    """A task returned what its result cannot hold. It has run, so it is dead and does not run again."""

    name = "resultRefused"


class TaskCancelled(QueueError):
    """A task was cancelled before it ran. It stands in the errors of its result."""

    name = "taskCancelled"


class TaskCrashed(QueueError):
    """The process died in which a task ran. It stands in the errors of its result."""

    name = "taskCrashed"


class NoHandler(QueueError):
    """A worker was told to consume a queue for which no code is registered."""

    name = "noHandler"


class NotOwner(QueueError):
    """The outbox belongs to the database of another project."""

    name = "notOwner"

    def __init__(self, namespace: str) -> None:
        super().__init__(
            f"The outbox of the namespace {namespace} belongs to the database of another project. Give each "
            'project a namespace of its own: QUEUEING["NAMESPACE"]. If it is the same project with a new '
            'database, run "manage.py queues take-outbox"'
        )
