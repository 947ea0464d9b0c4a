"""Translates error replies of Redis to errors of this package, with the cause and, if possible, a remedy."""

import re

from redis import exceptions as driver

from queueing.exceptions import QueueError, QueueFull, QueueRefused, QueueUnavailable

from . import tls

#: Refusals that end without an intervention, by Redis' error code. Redis refuses before the first write of a
#: script.
PASSING = {
    "LOADING": "it is loading its data",
    "BUSY": "a script of another client keeps it busy",
    "MISCONF": "it cannot save its data to disk, as its own log says",
    "READONLY": "it is a replica, and only a primary takes writes",
    "MASTERDOWN": "it is a replica that has lost its primary",
    "NOREPLICAS": "too few replicas are connected to it",
    "CLUSTERDOWN": "its cluster is down",
    "TRYAGAIN": "its cluster is moving the keys of the queue to another node",
}
#: Refusals that last until a person intervenes, by Redis' error code.
LASTING = {
    "NOAUTH": "it asks for a password",
    "WRONGPASS": "the user name or the password is wrong, or the user is disabled",
    "CROSSSLOT": 'it is a cluster: set QUEUEING["NAMESPACE"] to a name in braces, such as {rsmq}, '
    "so that all keys are stored on one node",
}
#: Refusals without an error code that a wrong address causes, by a part of Redis' reply.
WRONG_ADDRESSES = {
    "without any password configured": "it has no password for its default user: remove the password "
    "from the address, or add the user to it",
    "DB index is out of range": "DB index is out of range: write a lower number of the database in "
    "the address",
    "SELECT is not allowed in cluster mode": "it is a node of a cluster, which has only the database 0: "
    "write redis+cluster://host:6379",
    "unknown command 'EVALSHA'": "it runs no scripts. If it is a sentinel, write "
    "redis+sentinel://host:26379/mymaster/0",
    "unknown command 'SELECT'": "it has no databases. If it is a sentinel, write "
    "redis+sentinel://host:26379/mymaster/0",
}
#: Matches the error of a command inside the error of a script. Redis 6.2 puts the text of the script's error
#: first.
WRAPPED = re.compile(rf"@user_script: ?\d+: -?({'|'.join([*PASSING, 'OOM'])}) ")
#: The error codes by class of the error. redis-py before 7.1 removes the code from the text of these errors.
CODES: dict[type[Exception], str] = {
    driver.AskError: "ASK",
    driver.AuthenticationError: "WRONGPASS",
    driver.BusyLoadingError: "LOADING",
    driver.ClusterCrossSlotError: "CROSSSLOT",
    driver.ClusterDownError: "CLUSTERDOWN",
    driver.MasterDownError: "MASTERDOWN",
    driver.MovedError: "MOVED",
    driver.NoPermissionError: "NOPERM",
    driver.OutOfMemoryError: "OOM",
    driver.ReadOnlyError: "READONLY",
    driver.TryAgainError: "TRYAGAIN",
}
#: The reply to a new connection if too many clients are connected.
TOO_MANY = "max number of clients reached"
#: A part of the reply if a user may not run a command of a script. The script may have written something
#: before it failed.
IN_SCRIPT = "The user executing the script"
PERMISSIONS = "give its user the permissions in docs/redis.md"


def unanswered(error: Exception, silence: type[QueueUnavailable] = QueueUnavailable) -> QueueUnavailable:
    """The error to raise for a failed call of redis-py.

    It is a ``QueueRefused`` if Redis has replied, and an instance of ``silence`` if Redis did not answer.
    """
    # A pool and a discovery know the server, so they know more about the cause than the error says.
    found = next((said for one in tls.causes(error) if (said := getattr(one, "refusal", ""))), "")
    if refusal := found or tls.refusal(str(error)):
        return QueueRefused(refusal, is_lasting=True)
    if isinstance(error, driver.RedisError) and _is_reply(error):
        known = translated(error)
        if isinstance(known, QueueRefused):
            return known
        return QueueRefused(f"Redis refuses: {error}", is_lasting=True)
    reason = str(error).strip() or "no reason given"
    return silence(f"Redis does not answer ({type(error).__name__}: {reason})")


def _is_reply(error: driver.RedisError) -> bool:
    """Whether ``error`` is a reply of Redis. Other errors come from the network or from redis-py."""
    # redis-py before 7.1 takes this reply for an error of the network.
    return isinstance(error, driver.ResponseError) or bool(_status(error)) or TOO_MANY in str(error)


def is_elsewhere(error: driver.RedisError) -> bool:
    """Whether a node of a cluster replies that another node has the keys."""
    return _code(error) in ("ASK", "MOVED")


def translated(error: driver.RedisError) -> QueueError:
    """The ``QueueError`` for an error reply of Redis."""
    text, code = str(error), _code(error)
    if code == "OOM":
        return QueueFull()
    if code in PASSING:
        return QueueRefused(f"Redis refuses ({code}): {PASSING[code]}")
    if code in LASTING:
        return QueueRefused(f"Redis refuses ({code}): {LASTING[code]}", is_lasting=True)
    for part, said in WRONG_ADDRESSES.items():
        if part in text:
            return QueueRefused(f"Redis refuses: {said}", is_lasting=True)
    if is_elsewhere(error):
        return QueueRefused(_elsewhere(code, text), is_lasting=True)
    if TOO_MANY in text:
        return QueueRefused("Redis refuses: it has as many clients as its maxclients allows")
    if IN_SCRIPT in text or "ACL failure in script" in text:
        return QueueError(f"Redis refuses a part of what was asked: {PERMISSIONS} ({_cause(text)})")
    if code == "NOPERM" and " command" in text:
        return QueueRefused(f"Redis refuses ({code}): {PERMISSIONS} ({_cause(text)})", is_lasting=True)
    if code == "NOPERM":
        return QueueError(f"Redis refuses ({code}): {PERMISSIONS} ({_cause(text)})")
    return QueueError(f"Redis refused a script: {_cause(text)}")


def _code(error: driver.RedisError) -> str:
    """The error code, which is the first word of the reply.

    redis-py removes the code from errors that it knows. The class of such an error determines its code.
    """
    if (code := _status(error)) and code != "ERR":
        return code
    found = WRAPPED.search(str(error))
    return found[1] if found else str(error).partition(" ")[0]


def _status(error: driver.RedisError) -> str:
    code: str = getattr(error, "status_code", None) or CODES.get(type(error), "")
    return "NOAUTH" if code == "WRONGPASS" and "Authentication required" in str(error) else code


def _elsewhere(code: str, text: str) -> str:
    address = text.rpartition(" ")[2]
    return (
        f"Redis refuses ({code}): it is a node of a cluster, and {address} has the keys. "
        'Set QUEUEING["URL"] to that node, and QUEUEING["NAMESPACE"] to a name in braces, such as {rsmq}'
    )


def _cause(text: str) -> str:
    """Remove the digest and the line number of the script from an error text of Redis."""
    return re.sub(r"\.? script: .*", "", text)


# --- servers that are asked where Redis is --------------------------------------------------------


def of_sentinels(error: driver.RedisError | None) -> str:
    """Explain in a sentence why the sentinels do not name a primary.

    ``error`` is the error reply of a sentinel, or ``None`` if the sentinels do not know the name in the
    address. Returns ``""`` if the problem may pass.
    """
    if error is None:
        return (
            "The sentinels name no primary, because they do not know it by the name in the address: "
            'write the name of "sentinel monitor" in their configuration'
        )
    if "unknown command 'SENTINEL'" in str(error):
        return (
            "The address of the sentinels is that of a Redis: write the sentinels' own, with the port 26379, "
            "or redis://host:6379/0 for this Redis"
        )
    if "without any password configured" in str(error):
        return "The sentinels have no password: remove sentinel_password from the address"
    said = {
        "NOAUTH": "they ask for a password: add ?sentinel_password=… to the address",
        "WRONGPASS": "sentinel_username or sentinel_password is wrong in the address",
        "NOPERM": "their user needs +sentinel|get-master-addr-by-name",
    }
    code = _code(error)
    return f"The sentinels refuse ({code}): {said[code]}" if code in said else tls.refusal(str(error))


def of_nodes(error: driver.RedisError | None) -> str:
    """Explain in a sentence why the cluster nodes do not name the owner of a slot.

    ``error`` is the error reply of a node, or ``None`` if the node knows no owner. Returns ``""`` if the
    problem may pass, such as a cluster that is down.
    """
    text = str(error)
    if error is None:
        return ""  # The cluster may be down.
    if "cluster support disabled" in text:
        return "The address of the cluster is that of a Redis without a cluster: write redis://host:6379/0"
    if "unknown command 'CLUSTER'" in text:
        return (
            "The address of the cluster is that of a sentinel: write redis+sentinel://host:26379/mymaster/0"
        )
    known = translated(error)
    if _code(error) == "NOPERM":
        return "Redis refuses (NOPERM): its user needs +cluster|slots"
    return str(known) if isinstance(known, QueueRefused) and known.is_lasting else tls.refusal(text)
