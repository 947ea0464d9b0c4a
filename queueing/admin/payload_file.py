"""A whole payload or result as a file, for those that are too long for a page."""

from collections.abc import Iterator

from django.http import StreamingHttpResponse

from .. import validation
from ..redaction import redacted_pieces

#: Characters that are handed on at once.
PART = 65_536


def payload_file(text: str, message_id: str, kind: str = "payload") -> StreamingHttpResponse:
    """The text as it was sent or returned, secrets struck out as on a page; ``kind`` begins its name."""
    response = StreamingHttpResponse(_parts(text), content_type="text/plain; charset=utf-8")
    # Other programs name their messages as they like.
    name = "".join(c for c in message_id if c.isascii() and c.isalnum())
    response["Content-Disposition"] = f'attachment; filename="{kind}-{name}.txt"'
    return response


def _parts(text: str) -> Iterator[bytes]:
    part: list[str] = []
    length = 0
    for piece in redacted_pieces(text):
        part.append(piece)
        length += len(piece)
        if length >= PART:
            yield validation.encode("".join(part))
            part, length = [], 0
    yield validation.encode("".join(part))
