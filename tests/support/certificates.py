"""A self-signed certificate, like that of Heroku's key-value store."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from .programs import require


@dataclass(frozen=True, slots=True)
class Certificate:
    """Paths of a certificate and its key, for 127.0.0.1 and localhost."""

    certificate: Path
    key: Path


def self_signed(folder: Path) -> Certificate:
    """Make a self-signed certificate, once per folder."""
    made = Certificate(folder / "redis.crt", folder / "redis.key")
    if not made.certificate.exists():
        openssl = require("openssl", "apt-get install openssl")
        subprocess.run(
            [
                *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
                *("-keyout", str(made.key), "-out", str(made.certificate)),
                *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            ],
            check=True,
            capture_output=True,
            timeout=60,
        )
    return made
