"""Sentences about TLS: certificate files that cannot be used, and handshakes that fail.

The sentences contain no part of the address, not even the path of a file.
"""

import re
import ssl
from collections.abc import Callable, Mapping
from typing import Any

#: The options of an address that name files.
FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
#: Matches the error of a failed handshake in the text of redis-py's error, and the sentence about it.
HANDSHAKES = {
    "certificate has expired": "its certificate, or that of the authority, has expired: renew it",
    "certificate is not yet valid": "its certificate is not valid yet: check the clocks of both machines",
    "(Hostname|IP address) mismatch": "its certificate is for another host: "
    "write a host into the address that the certificate names",
    "self.signed certificate|unable to get (local )?issuer|unable to verify": "its certificate is not signed "
    "by a trusted authority: name the file of its authority with ssl_ca_certs",
    "CERTIFICATE_VERIFY_FAILED": "its certificate cannot be verified",
    "(?i)certificate.required": "it asks for a certificate of the client: "
    "add ssl_certfile and ssl_keyfile to the address",
    "(?i)alert.unknown.ca": "it does not trust the authority that signed the certificate of ssl_certfile",
    "(?i)alert.certificate.expired": "the certificate of ssl_certfile has expired: renew it",
    "(?i)alert.(bad|unsupported).certificate|alert.certificate.(unknown|revoked)": "it refuses the "
    "certificate of ssl_certfile",
    "WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE": "its port does not take TLS: "
    "begin the address with redis instead of rediss",
}


def refusal(text: str) -> str:
    """Return a sentence if ``text`` is the error of a failed TLS handshake, else ``""``."""
    is_of_tls = "[SSL" in text or "certificate" in text
    found = [said for pattern, said in HANDSHAKES.items() if is_of_tls and re.search(pattern, text)]
    return f"No TLS connection to Redis: {found[0]}" if found else ""


def check_files(options: Mapping[str, Any]) -> None:
    """Check the certificate files and the key file that the options of a connection name.

    Raises ``ValueError`` with a sentence about the first file that cannot be used.
    """
    for name in FILES:
        if path := options.get(name):
            _check_file(name, path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if authority := options.get("ssl_ca_certs"):
        _load(
            lambda: context.load_verify_locations(authority), "The file of ssl_ca_certs has no certificate."
        )
    if not (certificate := options.get("ssl_certfile")):
        return
    _load(
        lambda: context.load_verify_locations(certificate),
        "The file of ssl_certfile has no certificate.",
    )
    # A text, because without any password OpenSSL asks for one on the terminal.
    password = options.get("ssl_password") or ""
    key = options.get("ssl_keyfile")
    _load(
        lambda: context.load_cert_chain(certificate, key, password),
        _about_key("ssl_keyfile" if key else "ssl_certfile", key or certificate, bool(password)),
    )


def _check_file(name: str, path: str) -> None:
    try:
        with open(path, "rb") as file:
            file.read(1)
    except FileNotFoundError:
        raise ValueError(
            f"The file of {name} does not exist. Check the path, and write it from / on."
        ) from None
    except PermissionError:
        raise ValueError(f"The file of {name} may not be read by the user of this process.") from None
    except (OSError, ValueError):
        raise ValueError(f"The path of {name} is not that of a file.") from None


def _about_key(name: str, path: str, has_password: bool) -> str:
    with open(path, encoding="ascii", errors="replace") as file:
        text = file.read()
    if "PRIVATE KEY-----" not in text:
        rest = " Add ssl_keyfile with the file of the key." if name == "ssl_certfile" else ""
        return f"The file of {name} has no private key in the format PEM.{rest}"
    if "ENCRYPTED" in text:
        said = "ssl_password does not fit" if has_password else "Add its password as ssl_password for"
        return f"{said} the private key of {name}."
    return "The private key does not belong to the certificate of ssl_certfile."


def _load(load: Callable[[], None], sentence: str) -> None:
    try:
        load()
    except (ssl.SSLError, OSError, ValueError) as error:
        if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
            sentence = "The private key does not belong to the certificate of ssl_certfile."
        raise ValueError(sentence) from None
