"""The proxy itself: a command whose reply it cuts has run, and data that it passes is unchanged."""

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support.cutting_proxy import CutEachOnce, CutNth, CuttingProxy, Fate
from tests.support.redis_server import RedisServer


def through(proxy: CuttingProxy, **options: object) -> redis.Redis:
    return redis.Redis(port=proxy.port, retry=Retry(NoBackoff(), 0), **options)  # type: ignore[arg-type]


def test_a_command_whose_reply_is_cut_has_run_once(redis_server: RedisServer):
    with CuttingProxy(redis_server.port, CutNth(2, b"INCRBY")) as proxy, through(proxy) as connection:
        assert connection.incr("n") == 1
        with pytest.raises(redis.ConnectionError):
            connection.incr("n")
        assert connection.incr("n") == 3


def test_each_script_call_is_cut_once_and_its_repeat_passes(redis_server: RedisServer):
    rule = CutEachOnce()
    with CuttingProxy(redis_server.port, rule) as proxy, through(proxy) as connection:
        for number in range(3):
            with pytest.raises(redis.ConnectionError):
                connection.eval("return ARGV[1]", 0, number)
            assert connection.eval("return ARGV[1]", 0, number) == str(number).encode()
        assert rule.cut == 3


def test_a_script_that_is_not_loaded_does_not_count_as_a_lost_reply(redis_server: RedisServer):
    rule = CutEachOnce()
    with CuttingProxy(redis_server.port, rule) as proxy, through(proxy) as connection:
        with pytest.raises(redis.exceptions.NoScriptError):
            connection.evalsha("0" * 40, 0)
        assert rule.cut == 0


def test_a_dropped_reply_makes_the_client_wait(redis_server: RedisServer):
    with (
        CuttingProxy(redis_server.port, CutNth(1, b"INCRBY", Fate.DROP)) as proxy,
        through(proxy, socket_timeout=0.2) as connection,
    ):
        with pytest.raises(redis.TimeoutError):
            connection.incr("n")
        assert connection.get("n") == b"1"


def test_pipelines_and_large_values_pass_unchanged(redis_server: RedisServer):
    body = b"\r\n$-1\r\n" * 50_000
    with CuttingProxy(redis_server.port) as proxy, through(proxy) as connection:
        pipeline = connection.pipeline(transaction=False)
        pipeline.set("big", body).get("big").hset("h", mapping={"a": 1}).hgetall("h")
        assert pipeline.execute() == [True, body, 1, {b"a": b"1"}]


def test_a_refusing_proxy_cuts_open_connections_and_answers_again_later(redis_server: RedisServer):
    with CuttingProxy(redis_server.port) as proxy, through(proxy) as connection:
        assert connection.ping()
        proxy.refuse = True
        with pytest.raises(redis.ConnectionError):
            connection.ping()
        proxy.refuse = False
        assert connection.ping()
