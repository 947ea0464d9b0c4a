"""The Content-Security-Policy of the site."""

import pytest
from django.test import Client
from pytest_django import Settings


def policy_of(path: str) -> dict[str, str]:
    """Directive -> its sources."""
    header = Client().get(path).headers["Content-Security-Policy"]
    return dict(directive.split(" ", 1) for directive in header.split("; "))


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/admin/login/", "/admin/", "/nothing-here", "/favicon.ico"])
def test_each_response_has_a_content_security_policy(path: str):
    policy = policy_of(path)
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"


@pytest.mark.django_db
def test_the_policy_allows_only_the_sites_own_files_and_nothing_inline():
    words = " ".join(policy_of("/admin/login/").values()).split()
    assert set(words) == {"'none'", "'self'"}


def test_djangos_debug_pages_have_no_policy_because_they_use_inline_code(settings: Settings):
    settings.DEBUG = True
    assert "Content-Security-Policy" not in Client().get("/nothing-here").headers
    assert "Content-Security-Policy" in Client().get("/favicon.ico").headers
