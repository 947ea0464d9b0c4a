"""Sentences about TLS: certificate files that cannot be used, handshakes that fail, and ports without TLS.

The sentences contain no part of the address, not even the path of a file.
"""

import re
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Any

from redis import SSLConnection
from redis import exceptions as driver
from redis.asyncio import SSLConnection as AsyncSSLConnection

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
#: The sentences that ``explain`` sets.
PLAIN_PORT = f"No TLS connection to Redis: {HANDSHAKES['WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE']}"
TLS_PORT = (
    "No connection to Redis without TLS: its port takes only TLS: "
    "begin the address with rediss instead of redis"
)
#: How long ``explain`` waits for the server.
PROBE_SECONDS = 0.3
#: Texts of redis-py's errors if the server has closed a new connection.
CLOSED = re.compile("closed by server|[Cc]onnection (lost|reset)|Broken pipe")


def refusal(text: str) -> str:
    """Return a sentence if ``text`` is the error of a failed TLS handshake, else ``""``."""
    is_of_tls = "[SSL" in text or "certificate" in text
    found = [said for pattern, said in HANDSHAKES.items() if is_of_tls and re.search(pattern, text)]
    return f"No TLS connection to Redis: {found[0]}" if found else ""


def explain(error: BaseException, connection: Any) -> None:
    """Set ``error.refusal`` to a sentence if the port takes TLS and the address has none, or the reverse.

    ``connection`` is the connection of redis-py that failed to connect with ``error``. Such a port lets the
    handshake time out, or closes the connection, as does a server that is out of order. So a second
    connection finds out what the port takes. For other causes ``error.refusal`` is ``""``.
    """
    # A discovery has explained its errors before.
    if not any(hasattr(one, "refusal") for one in causes(error)):
        error.refusal = _mismatch(error, connection)  # type: ignore[attr-defined]


def causes(error: BaseException) -> tuple[BaseException | None, ...]:
    """The error and its causes. redis-py's asyncio connections wrap the error of a discovery."""
    return error, error.__cause__, error.__context__


def _mismatch(error: BaseException, connection: Any) -> str:
    is_encrypted = isinstance(connection, SSLConnection | AsyncSSLConnection)
    host, port = getattr(connection, "host", None), getattr(connection, "port", None)
    if not (host and port):
        return ""
    try:
        if is_encrypted and isinstance(error, driver.TimeoutError):
            return PLAIN_PORT if _takes_plain(host, port) else ""
        if not is_encrypted and (isinstance(error, driver.InvalidResponse) or CLOSED.search(str(error))):
            return TLS_PORT if _takes_tls(host, port) else ""
    except OSError:
        pass  # The server is away.
    return ""


def _takes_plain(host: str, port: int) -> bool:
    with socket.create_connection((host, port), PROBE_SECONDS) as plain:
        plain.sendall(b"PING\r\n")
        # The answer is +PONG or an error, such as -NOAUTH.
        return plain.recv(1) in (b"+", b"-")


def _takes_tls(host: str, port: int) -> bool:
    # Nothing is sent but the handshake, so the certificate does not matter.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((host, port), PROBE_SECONDS) as plain:
        try:
            context.wrap_socket(plain, server_hostname=host).close()
        except ssl.SSLError as error:
            return "ALERT" in str(error)  # Such as an older version of TLS.
    return True


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
