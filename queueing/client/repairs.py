"""Finding the keys that another program has spoilt. ``Sweeps`` sets them aside."""

from collections.abc import Sequence

from queueing.broker import decode, rsmq_values
from queueing.exceptions import SpoiltKey

from .base import ClientBase

#: Keys that one script call looks at.
STEP = 200


class Repairs(ClientBase):
    """Finds spoilt keys."""

    def spoilt_keys(self, qnames: Sequence[str] = ()) -> list[SpoiltKey]:
        """The keys of the namespace, and of these queues, that have another type than they should."""
        keys = self.keys.of_namespace()
        for qname in qnames:
            keys += self.keys.all_of_queue(qname)
        found: list[SpoiltKey] = []
        for start in range(0, len(keys), STEP):
            step = keys[start : start + STEP]
            types = self.scripts.run("types", list(map(rsmq_values.encode, step)))
            for key, type in zip(step, map(decode.text, types), strict=True):
                wanted = self.keys.type_of(key)
                if type not in (wanted, "none"):
                    found.append(SpoiltKey(key, type, wanted))
        return found
