"""The present rates at which queues fill and drain. They count the messages of all programs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from queueing.broker.outcomes import ENDS, State
from queueing.client import QueueClient
from queueing.messages import QueueFigures

from .store import Kept, added, present, ratio, read_metrics, samples_of, sums_of

#: Rates are averages over about this many seconds.
RATE_SECONDS = 330
#: If there is no sample in the last ``RATE_SECONDS``, rates cover a longer time, at most this many seconds.
MAX_RATE_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Rate:
    """The rates at which a queue fills and drains, averaged over the last ``over_seconds``.

    The rates are in messages per second and include all programs. They are ``None`` if no worker has sampled
    the queue for an hour. ``failure_ratio`` is the fraction of ended runs that failed or crashed.
    ``drain_seconds`` is the time until no message is ready, at these rates. It is ``None`` if the queue does
    not shrink or the rates are unknown.
    """

    in_per_second: float | None = None
    out_per_second: float | None = None
    failure_ratio: float | None = None
    drain_seconds: float | None = None
    over_seconds: float = 0.0


def read_rates(client: QueueClient, figures: Sequence[QueueFigures]) -> dict[str, Rate]:
    """Read the rates of the queues whose present ``figures`` are given. Returns rates by queue name."""
    now_ms, kept = read_metrics(
        client, [queue.name for queue in figures], "m", 1, RATE_SECONDS // 60, "now", "last"
    )
    return {queue.name: _rate(queue, kept[queue.name], now_ms) for queue in figures}


def rate_of_all(figures: Iterable[QueueFigures], of_each: Mapping[str, Rate]) -> Rate:
    """The sum of the rates of several queues, without a failure ratio.

    ``of_each`` has the rates by queue name, as ``read_rates`` returns them.
    """
    known = [queue for queue in figures if of_each[queue.name].in_per_second is not None]
    if not known:
        return Rate()
    rates = [of_each[queue.name] for queue in known]
    came = sum(rate.in_per_second or 0.0 for rate in rates)
    went = sum(rate.out_per_second or 0.0 for rate in rates)
    drain_seconds = _drain_seconds(sum(queue.ready for queue in known), came, went)
    return Rate(came, went, None, drain_seconds, max(rate.over_seconds for rate in rates))


def _rate(queue: QueueFigures, kept: Kept, now_ms: int) -> Rate:
    failure_ratio = _failure_ratio(kept, now_ms)
    then = _sample_for_rates(samples_of(kept), now_ms)
    if then is None:
        return Rate(failure_ratio=failure_ratio)
    at_ms, sent, _, msgs = then
    over_seconds = (now_ms - at_ms) / 1000
    now_sent = queue.attributes.totalsent
    came = now_sent - sent if now_sent >= sent else now_sent
    went = max(0.0, came - (queue.attributes.msgs - msgs))
    speed_in, speed_out = came / over_seconds, went / over_seconds
    drain_seconds = _drain_seconds(queue.ready, speed_in, speed_out)
    return Rate(speed_in, speed_out, failure_ratio, drain_seconds, over_seconds)


def _failure_ratio(kept: Kept, now_ms: int) -> float | None:
    minute, sums = present(kept)
    if minute <= now_ms // 60_000 - RATE_SECONDS // 60:
        sums = {}
    sums = added([sums, *map(sums_of, kept.spans.values())])
    failed = sum(sums.get(end, 0) for end in ENDS.values() if end.counts_as_failure)
    return ratio(failed, sums.get(State.DONE, 0))


def _sample_for_rates(samples: list[list[float]], now_ms: int) -> list[float] | None:
    """The past sample with which the present figures are compared. ``None`` if none is suitable.

    The oldest sample of the last ``RATE_SECONDS`` is used. If that time has no sample, the newest one of the
    last ``MAX_RATE_SECONDS`` is used. A sample that is less than five seconds old is not used.
    """
    past = [sample for sample in samples if sample[0] < now_ms]
    recent = [sample for sample in past if now_ms - sample[0] <= RATE_SECONDS * 1000]
    # A rate over a few seconds would be meaningless.
    if recent and now_ms - recent[0][0] >= 5000:
        return recent[0]
    return past[-1] if past and 5000 <= now_ms - past[-1][0] <= MAX_RATE_SECONDS * 1000 else None


def _drain_seconds(ready: int, in_per_second: float, out_per_second: float) -> float | None:
    if not ready:
        return 0.0
    return ready / (out_per_second - in_per_second) if out_per_second > in_per_second else None
