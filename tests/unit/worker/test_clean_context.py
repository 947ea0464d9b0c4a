"""Settings that a job makes for itself do not reach the next job of its thread."""

import asyncio
import contextvars
import decimal

import pytest
from django.core.cache import caches
from django.db import connection
from django.urls import get_script_prefix, get_urlconf, set_script_prefix, set_urlconf
from django.utils import timezone, translation

marker: contextvars.ContextVar[str] = contextvars.ContextVar("marker", default="clean")


def set_all(message):
    translation.activate("de")
    timezone.activate("Asia/Tokyo")
    set_urlconf("elsewhere")
    set_script_prefix("/elsewhere/")
    marker.set("used")
    decimal.getcontext().prec = 3


async def set_all_async(message):
    await asyncio.sleep(0)
    set_all(message)


def fail_after_setting(message):
    set_all(message)
    raise ValueError


@pytest.mark.parametrize("first", [set_all, set_all_async, fail_after_setting])
@pytest.mark.parametrize("is_async", [False, True])
def test_each_run_begins_with_a_clean_context(process, settings, first, is_async):
    seen = []

    def look(message):
        seen.append((translation.get_language(), timezone.get_current_timezone_name(), marker.get()))
        seen.append((get_urlconf(), get_script_prefix(), decimal.getcontext().prec))

    async def look_async(message):
        look(message)

    process(first)
    process(look_async if is_async else look, queue="look")
    assert seen == [(settings.LANGUAGE_CODE, settings.TIME_ZONE, "clean"), (None, "/", 28)]


def test_a_back_off_function_leaves_nothing_behind_either(process, settings):
    from queueing.handlers import policy

    def backoff(error, attempt):
        translation.activate("de")
        return 1

    @policy(backoff=backoff)
    def fail(message):
        raise ValueError

    seen = []
    process(fail)
    process(lambda message: seen.append(translation.get_language()), queue="look")
    assert seen == [settings.LANGUAGE_CODE]


def test_caches_keep_their_connections_from_run_to_run(process, settings):
    local = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    settings.CACHES = {"default": local, "other": local}
    used = []
    process(lambda message: used.append(caches["default"]))
    process(lambda message: used.append(caches["default"]), queue="b")
    process(lambda message: used.append(caches["other"]), queue="c")
    process(lambda message: used.append(caches["other"]), queue="d")
    assert used[0] is used[1]
    assert used[2] is used[3]


@pytest.mark.django_db(transaction=True)
def test_database_connections_stay_from_run_to_run(process):
    used = []

    def ask(message):
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        used.append(connection.connection)

    process(ask)
    process(ask)
    assert used[0] is used[1]
