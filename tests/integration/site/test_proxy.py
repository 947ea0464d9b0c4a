"""The headers that the site trusts for the client's address and for encryption."""

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from pytest_django import Settings

from mqsite.proxy import ClientAddressMiddleware, client_address

PEER = "10.0.0.9"


@pytest.mark.parametrize(
    ("header", "address"),
    [
        (None, PEER),
        ("", PEER),
        ("203.0.113.7", "203.0.113.7"),
        ("1.1.1.1, 203.0.113.7", "203.0.113.7"),
        ("1.1.1.1,203.0.113.7 ", "203.0.113.7"),
        ("203.0.113.7,", PEER),
        ("203.0.113.7, <script>", PEER),
        ("2001:DB8::0001", "2001:db8::1"),
    ],
)
def test_the_last_entry_of_the_header_is_the_address(header: str | None, address: str):
    extra = {} if header is None else {"HTTP_X_FORWARDED_FOR": header}
    assert client_address(RequestFactory(REMOTE_ADDR=PEER).get("/", **extra)) == address


def test_the_middleware_puts_the_address_into_remote_addr(settings: Settings):
    settings.TRUST_PROXY = True

    def answer(request: HttpRequest) -> HttpResponse:
        return HttpResponse(request.META["REMOTE_ADDR"])

    request = RequestFactory(REMOTE_ADDR=PEER).get("/", HTTP_X_FORWARDED_FOR="6.6.6.6, 203.0.113.7")
    assert ClientAddressMiddleware(answer)(request).content == b"203.0.113.7"


def test_without_a_trusted_proxy_a_client_cannot_claim_an_address(settings: Settings):
    settings.TRUST_PROXY = False
    request = RequestFactory(REMOTE_ADDR=PEER).get("/", HTTP_X_FORWARDED_FOR="203.0.113.7")
    ClientAddressMiddleware(lambda request: HttpResponse())(request)
    assert request.META["REMOTE_ADDR"] == PEER


@pytest.fixture
def behind_proxy(settings: Settings) -> Client:
    settings.TRUST_PROXY = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SECURE_SSL_REDIRECT = True
    return Client()


def test_plain_http_is_redirected_except_for_the_health_check(behind_proxy: Client):
    assert behind_proxy.get("/admin/login/").headers["Location"] == "https://testserver/admin/login/"
    assert behind_proxy.get("/healthz").status_code == 200


@pytest.mark.django_db
def test_a_request_that_reached_the_proxy_encrypted_gets_hsts(behind_proxy: Client):
    answer = behind_proxy.get("/admin/login/", HTTP_X_FORWARDED_PROTO="https")
    assert answer.status_code == 200
    assert answer.headers["Strict-Transport-Security"] == "max-age=3600"


def test_a_health_check_by_address_is_answered_for_any_host(settings):
    settings.ALLOWED_HOSTS = ["example.com"]
    settings.SECURE_SSL_REDIRECT = True
    assert Client().get("/healthz", headers={"host": "10.1.2.3"}).status_code == 200
    assert Client().get("/", headers={"host": "10.1.2.3"}).status_code == 400
