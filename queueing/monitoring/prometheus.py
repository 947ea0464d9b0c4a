"""The text format of Prometheus (0.0.4), written by hand.

It is a dozen rules. The client library of Prometheus is made for counters that live in a process; of it
only the writer would be used here, and every process that serves pages would carry the rest.
"""

from collections.abc import Iterable, Mapping, Sequence

from queueing.text.printable import printable

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = Mapping[str, str]


class Exposition:
    """A text of families, each with its samples. Of two samples with the same labels the first is kept."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._seen: set[str] = set()

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in self._lines)

    def gauge(self, name: str, help: str, samples: Iterable[tuple[Labels, float]]) -> None:
        """What may rise and fall."""
        self._family(name, "gauge", help)
        for labels, value in samples:
            self._sample(name, labels, value)

    def counter(self, name: str, help: str, samples: Iterable[tuple[Labels, float]]) -> None:
        """What only rises; ``name`` ends in ``_total``."""
        self._family(name, "counter", help)
        for labels, value in samples:
            self._sample(name, labels, value)

    def histogram(
        self,
        name: str,
        help: str,
        bounds: Sequence[float],
        samples: Iterable[tuple[Labels, Sequence[int], float]],
    ) -> None:
        """How often it was how much: of each sample the counts between the bounds, and the sum."""
        self._family(name, "histogram", help)
        for labels, counts, total in samples:
            below = 0
            for bound, count in zip([*map(str, bounds), "+Inf"], counts, strict=True):
                below += count
                self._sample(f"{name}_bucket", {**labels, "le": bound}, below)
            self._sample(f"{name}_sum", labels, total)
            self._sample(f"{name}_count", labels, below)

    def _family(self, name: str, kind: str, help: str) -> None:
        self._lines += [f"# HELP {name} {help}", f"# TYPE {name} {kind}"]

    def _sample(self, name: str, labels: Labels, value: float) -> None:
        pairs = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        series = f"{name}{{{pairs}}}" if pairs else name
        # A scraper refuses all of a text in which one series stands twice.
        if series not in self._seen:
            self._seen.add(series)
            self._lines.append(f"{series} {_number(value)}")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def _escaped(text: str) -> str:
    """A label's value: what other programs called their queues, in printable characters and escaped."""
    return printable(text).replace("\\", "\\\\").replace('"', '\\"')
