"""Password guessing locks out an address for a while. Other addresses can log in."""

from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.db.models import F
from django.http import HttpResponse
from django.test import Client, RequestFactory
from pytest_django import Settings

from mqsite.proxy import client_network

LOGIN = "/admin/login/"
GUESSER, OTHER = "203.0.113.7", "203.0.113.8"
LIMIT = 10

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def admin(settings: Settings) -> User:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # a fast hash
    return User.objects.create_superuser("admin", password="right")


def log_in(address: str, password: str, name: str = "admin", **headers: str) -> HttpResponse:
    form = {"username": name, "password": password, "next": "/admin/"}
    return Client().post(LOGIN, form, REMOTE_ADDR=address, **headers)


def guess(times: int, address: str = GUESSER, **headers: str) -> HttpResponse:
    for number in range(times):
        response = log_in(address, f"guess {number}", **headers)
    return response


def test_after_ten_wrong_passwords_the_right_one_is_refused_too():
    assert guess(LIMIT - 1).status_code == 200
    locked_out = guess(1)
    assert locked_out.status_code == 429
    assert "Too many attempts" in locked_out.content.decode()
    assert log_in(GUESSER, "right").status_code == 429


def test_the_admin_can_log_in_from_another_address_meanwhile():
    guess(LIMIT + 5)
    assert log_in(OTHER, "right").status_code == 302


def test_other_user_names_do_not_give_more_guesses():
    for number in range(LIMIT):
        log_in(GUESSER, "guess", name=f"name{number}", HTTP_USER_AGENT=f"browser {number}")
    assert log_in(GUESSER, "right").status_code == 429


def test_the_lock_ends_and_further_guesses_do_not_lengthen_it(settings: Settings):
    guess(LIMIT)
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(minutes=14))
    assert guess(1).status_code == 429
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(minutes=2))
    assert log_in(GUESSER, "right").status_code == 302


def test_a_user_who_is_logged_in_is_not_affected(admin: User):
    browser = Client(REMOTE_ADDR=GUESSER)
    browser.force_login(admin)
    guess(LIMIT)
    assert browser.get("/admin/").status_code == 200


def test_the_address_is_the_one_that_the_router_reports(settings: Settings):
    settings.TRUST_PROXY = True
    for number in range(LIMIT):
        # The guesser's own entry comes first, with another address each time.
        log_in("10.0.0.1", "guess", HTTP_X_FORWARDED_FOR=f"198.51.100.{number}, {GUESSER}")
    assert log_in("10.0.0.1", "right", HTTP_X_FORWARDED_FOR=GUESSER).status_code == 429
    assert log_in("10.0.0.1", "right", HTTP_X_FORWARDED_FOR=OTHER).status_code == 302


def test_no_password_is_stored_or_logged():
    log_in(GUESSER, "nearly right")
    attempt = AccessAttempt.objects.get()
    assert "nearly" not in f"{attempt.get_data} {attempt.post_data} {attempt.path_info}"


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("", None),
    ],
)
def test_all_addresses_of_an_ipv6_network_count_as_one(address: str, counted: str | None):
    assert client_network(RequestFactory(REMOTE_ADDR=address).get("/")) == counted
