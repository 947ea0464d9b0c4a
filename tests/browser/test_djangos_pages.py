"""Django's own admin pages work under this project's Content-Security-Policy.

``visit`` fails a test for each error in the console and each report of the policy.
"""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from .conftest import PASSWORD, USER, Visit
from .test_page import overflow

USERS, GROUPS = "/admin/auth/user/", "/admin/auth/group/"
PAGES = (
    *("/admin/", "/admin/auth/", "/admin/password_change/", USERS, f"{USERS}add/", f"{USERS}1/change/"),
    *(f"{USERS}1/password/", f"{USERS}1/history/", f"{USERS}1/delete/", GROUPS, f"{GROUPS}add/"),
)


@pytest.mark.parametrize(("javascript", "dark"), [(True, False), (True, True), (False, False)])
def test_each_page_of_django_loads_completely(
    visit: Visit, log_in: Callable[[Page], None], javascript: bool, dark: bool
):
    page = visit.page(javascript=javascript, dark=dark)
    page.goto("/admin/login/")
    expect(page.get_by_label("Username")).to_be_visible()
    log_in(page)
    for path in PAGES:
        page.goto(path)
        expect(page.locator("h1").first).to_be_visible()
        expect(page.get_by_role("button", name="Log out")).to_be_visible()


@pytest.mark.parametrize("width", [390, 1280])
def test_the_login_page_fits_the_window_and_shows_the_error(visit: Visit, site: object, width: int):
    page = visit.page(width=width)
    page.goto("/admin/login/")
    page.get_by_label("Username").fill(USER)
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator(".errornote")).to_contain_text("correct username and password")
    assert overflow(page) <= 0
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/admin/")


def test_the_scripts_of_djangos_pages_work(visit: Visit, log_in: Callable[[Page], None]):
    page = visit.page()
    log_in(page)
    page.goto(f"{USERS}1/change/")
    page.locator(".datetimeshortcuts").get_by_text("Today").first.click()
    page.locator(".date-icon").first.click()
    expect(page.locator("#calendarbox0")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("#id_user_permissions_from option", has_text="pause and resume queues").dblclick()
    expect(page.locator("#id_user_permissions_to")).to_contain_text("pause and resume queues")
    page.get_by_role("button", name="Toggle theme").first.click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist .success")).to_contain_text("was changed successfully")

    page.goto("/admin/")
    expect(page.locator("#recent-actions-module")).to_contain_text(USER)
    page.goto(f"{USERS}1/history/")
    expect(page.locator("#change-history")).to_be_visible()


def test_a_password_can_be_changed_and_a_user_can_log_out(visit: Visit, log_in: Callable[[Page], None]):
    page = visit.page()
    log_in(page)
    page.goto("/admin/password_change/")
    page.get_by_label("Old password").fill(PASSWORD)
    page.get_by_label("New password:").fill("another-long-password")
    page.get_by_label("New password confirmation").fill("another-long-password")
    page.locator(".submit-row [type=submit]").click()
    expect(page.locator("#content")).to_contain_text("Your password was changed")
    page.get_by_role("button", name="Log out").click()
    expect(page.locator("h1").first).to_be_visible()
