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


class Authority:
    """A certification authority in a folder of its own."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.own = folder, Certificate(folder / f"{name}.crt", folder / f"{name}.key")
        self._run(
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"),
            *("-keyout", self.own.key, "-out", self.own.certificate),
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        )

    def sign(self, name: str, *, days: int = 2, host: str = "IP:127.0.0.1") -> Certificate:
        """Make a certificate and its key. A negative number of ``days`` makes one that has expired."""
        made = Certificate(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={host}\n")
        self._run(
            "req", "-newkey", "rsa:2048", "-nodes", "-keyout", made.key, "-out", request, "-subj", "/CN=x"
        )
        self._run(
            *("x509", "-req", "-in", request, "-out", made.certificate, "-days", days, "-CAcreateserial"),
            *("-CA", self.own.certificate, "-CAkey", self.own.key, "-extfile", extensions),
        )
        return made

    def _run(self, *arguments: object) -> None:
        openssl = require("openssl", "apt-get install openssl")
        subprocess.run([openssl, *map(str, arguments)], check=True, capture_output=True, timeout=60)
