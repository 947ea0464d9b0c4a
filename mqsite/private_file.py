"""Files and folders that nobody else may read."""

import os
from contextlib import suppress
from pathlib import Path


def make_private(folder: Path) -> None:
    """Make ``folder``, or take the rights of others from it and from all files in it."""
    folder.mkdir(exist_ok=True)
    for path in [folder, *folder.rglob("*")]:
        with suppress(FileNotFoundError):  # Another program writes there, too.
            path.chmod(0o700 if path.is_dir() else 0o600)


def write_private(file: Path, text: str) -> None:
    """Write ``text`` so that nobody else can read it, not even while it is written."""
    new = file.with_name(file.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    new.replace(file)
