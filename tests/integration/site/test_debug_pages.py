"""The debug page of development shows no passwords."""

from django.test import RequestFactory
from django.views.debug import technical_500_response
from pytest_django import Settings

from queueing.conf import Config

SECRET = "geheim77"


def test_the_debug_page_hides_passwords_in_urls_of_the_settings(settings: Settings):
    url = f"redis://user:{SECRET}@127.0.0.1:6379/0"
    settings.QUEUEING = {"URL": url, "METRICS_TOKEN": SECRET}
    settings.CACHES = {"default": {"BACKEND": "x", "LOCATION": [url, {"deeper": (url,)}]}}
    settings.EMAIL_ADDRESSES = {"default": {"HOST": f"smtp://user:{SECRET}@host", "PASSWORD": SECRET}}
    settings.SOME_ADDRESS = url
    for accept in ("text/html", "text/plain"):
        request = RequestFactory().get("/", headers={"accept": accept})
        page = technical_500_response(request, ValueError, ValueError("a bug"), None).content.decode()
        assert "QUEUEING" in page
        assert SECRET not in page


def test_a_configuration_in_a_traceback_shows_no_secret():
    assert SECRET not in repr(Config(URL=f"redis://:{SECRET}@127.0.0.1", METRICS_TOKEN=SECRET))
