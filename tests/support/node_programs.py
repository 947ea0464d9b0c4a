"""The Node programs of ``tests/wire/node``, with their npm packages."""

import fcntl
import hashlib
import subprocess
from pathlib import Path

from .program import Program
from .programs import ROOT, absent, require

FOLDER = ROOT / "tests" / "wire" / "node"
#: npm's names for the two pinned versions of the package ``rsmq``.
VERSIONS = ("rsmq-0.11", "rsmq-0.12")
HINT = "apt-get install nodejs npm (Node 18 or newer)"


def install() -> Path:
    """Run ``npm ci`` once per machine and lock file; returns the folder of the programs."""
    npm = require("npm", HINT)
    stamp = FOLDER / "node_modules" / ".installed"
    wanted = hashlib.sha256((FOLDER / "package-lock.json").read_bytes()).hexdigest()
    with (FOLDER / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            done = subprocess.run(
                [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                cwd=FOLDER,
                capture_output=True,
                text=True,
                timeout=180,
                check=False,
            )
            if done.returncode:
                absent(f"npm ci failed, is there a network? {done.stderr.strip()[-300:]}")
            stamp.write_text(wanted)
    return FOLDER


def node_program(script: str, *args: str, env: dict[str, str | None] | None = None) -> Program:
    """A Node program of ``tests/wire/node``, ready to start."""
    node = require("node", HINT)
    folder = install()
    return Program([node, folder / script, *args], env=env, cwd=folder, name=script)
