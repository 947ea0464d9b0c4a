"""Refuses requests whose body is incomplete."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, UnreadablePostError


class WholeBodyMiddleware:
    """Refuses a body that is shorter than its ``Content-Length``.

    If a connection breaks, the server passes on the part that has arrived. A form that was cut off within the
    id of a job could then name another job.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not _is_whole(request):
            return HttpResponseBadRequest("The connection broke before the whole request was sent.")
        return self.get_response(request)


def _is_whole(request: HttpRequest) -> bool:
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not (length.isascii() and length.isdecimal()) or length == "0":
        return True
    try:
        return len(request.body) == int(length)
    except UnreadablePostError:
        return False
