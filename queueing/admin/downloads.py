"""Downloads of payloads and results that are too long for a page."""

from collections.abc import Iterator

from django.http import StreamingHttpResponse

from queueing.broker import rsmq_values
from queueing.text.redaction import redacted

#: The number of characters that are encoded and sent as one part.
PART = 65_536


def payload_file(text: str, message_id: str, kind: str = "payload") -> StreamingHttpResponse:
    """The response that downloads ``text`` with secrets masked. The file name begins with ``kind``."""
    response = StreamingHttpResponse(_parts(text), content_type="text/plain; charset=utf-8")
    # Other programs may use any characters in the ids of their messages. Some are not safe in a file name.
    name = "".join(c for c in message_id if c.isascii() and c.isalnum())
    response["Content-Disposition"] = f'attachment; filename="{kind}-{name}.txt"'
    return response


def _parts(text: str) -> Iterator[bytes]:
    shown = redacted(text)
    for begin in range(0, len(shown) or 1, PART):
        yield rsmq_values.encode(shown[begin : begin + PART])
