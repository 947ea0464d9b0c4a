"""The folder ``var/``, which only its owner can read."""

import os
from contextlib import suppress
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parents[2]
VAR_DIR = BASE_DIR / "var"


def make_private(folder: Path) -> None:
    """Create ``folder`` if it is missing.

    Remove other users' permissions from the folder and all files in it.
    """
    folder.mkdir(exist_ok=True)
    for path in [folder, *folder.rglob("*")]:
        with suppress(FileNotFoundError):  # Another program writes there, too.
            path.chmod(0o700 if path.is_dir() else 0o600)


def write_private(file: Path, text: str) -> None:
    """Replace the content of ``file``. No other user can read the file at any time."""
    new = file.with_name(file.name + ".new")
    new.unlink(missing_ok=True)
    with open(new, "x", opener=lambda path, flags: os.open(path, flags, 0o600)) as stream:
        stream.write(text)
    new.replace(file)
