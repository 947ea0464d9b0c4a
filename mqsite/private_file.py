"""Files that hold a secret."""

import os
from pathlib import Path


def write_private(file: Path, text: str) -> None:
    """Write ``text`` so that nobody else can read it, not even while it is written."""
    new = file.with_name(file.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    new.replace(file)
