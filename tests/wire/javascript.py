"""Values as JavaScript source, for values that JSON lacks: undefined, NaN, BigInt."""

import json
import math
from typing import Any


class Undefined:
    """An absent value: ``undefined`` in JavaScript, ``None`` or not given in Python."""

    def __repr__(self) -> str:
        return "undefined"


UNDEFINED = Undefined()


def source(value: Any) -> str:
    """The JavaScript source for the counterpart of a Python value."""
    if isinstance(value, Undefined):
        return "undefined"
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        return repr(value).replace("inf", "Infinity")
    if isinstance(value, int) and abs(value) > 2**53:
        return f"{value}n"  # Python's integers have no limit, so larger ones become JavaScript's BigInt
    if isinstance(value, list):
        return f"[{', '.join(map(source, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)}: {source(v)}" for k, v in value.items()) + "}"
    return json.dumps(value)
