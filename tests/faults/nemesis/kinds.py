"""The kinds of faults."""

import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from tests.support.cutting_proxy import CutEachOnce, CuttingProxy, Fate, pass_all

from .plan import Blow
from .stage import QUEUES, Stage

End = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Kind:
    """``begin`` strikes. If the fault lasts, it returns the function that ends it.

    ``target`` is ``wire``, ``redis`` …: while a fault lasts, no other kind with the same target strikes.
    Kinds without a target are over immediately.
    """

    begin: Callable[[Stage, Blow], End | None]
    target: str = ""

    def target_of(self, blow: Blow) -> str:
        return f"{self.target} of worker {blow.worker}" if self.target in OF_A_WORKER else self.target


OF_A_WORKER = {"wire", "processes"}


def _kill_one(found: list[psutil.Process], share: float) -> None:
    if found:
        with contextlib.suppress(psutil.NoSuchProcess):
            found[int(share * len(found))].kill()


def kill_child(stage: Stage, blow: Blow) -> None:
    _kill_one(stage.posts[blow.worker].children(), blow.share)


def kill_keeper(stage: Stage, blow: Blow) -> None:
    _kill_one(stage.posts[blow.worker].keepers(), blow.share)


def kill_supervisor(stage: Stage, blow: Blow) -> None:
    post = stage.posts[blow.worker]
    post.process.kill_supervisor()
    post.fill()


def kill_group(stage: Stage, blow: Blow) -> None:
    post = stage.posts[blow.worker]
    post.process.kill_group()
    post.fill()


def deploy(stage: Stage, blow: Blow) -> None:
    """A platform signals the whole old worker and starts a new one immediately."""
    post = stage.posts[blow.worker]
    post.process.signal_group(signal.SIGTERM)
    stage.leaving.append(post.process)
    post.fill()


def _freeze(pids: list[int]) -> End:
    def signal_all(number: int) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    signal_all(signal.SIGSTOP)
    return lambda: signal_all(signal.SIGCONT)


def freeze_group(stage: Stage, blow: Blow) -> End:
    return _freeze([member.pid for member in stage.posts[blow.worker].process.members()])


def freeze_child(stage: Stage, blow: Blow) -> End:
    return _freeze([child.pid for child in stage.posts[blow.worker].children()][:1])


def _proxy_of(stage: Stage, blow: Blow) -> CuttingProxy:
    return stage.posts[blow.worker].proxy


def _lose_replies(proxy: CuttingProxy, blow: Blow) -> End:
    fate = Fate.CUT if blow.share < 0.7 else Fate.DROP
    proxy.rule = CutEachOnce(limit=1 + int(blow.share * 20), fate=fate)

    def pass_again() -> None:
        proxy.rule = pass_all

    return pass_again


def lose_replies(stage: Stage, blow: Blow) -> End:
    return _lose_replies(_proxy_of(stage, blow), blow)


def lose_replies_of_sends(stage: Stage, blow: Blow) -> End:
    return _lose_replies(stage.senders_proxy, blow)


def _for_a_while(proxy: CuttingProxy, name: str, value: object, normal: object) -> End:
    setattr(proxy, name, value)
    return lambda: setattr(proxy, name, normal)


def cut_off(stage: Stage, blow: Blow) -> End:
    return _for_a_while(_proxy_of(stage, blow), "refuse", True, False)


def answer_nothing(stage: Stage, blow: Blow) -> End:
    return _for_a_while(_proxy_of(stage, blow), "half_open", True, False)


def answer_late(stage: Stage, blow: Blow) -> End:
    return _for_a_while(_proxy_of(stage, blow), "latency_seconds", 0.02 + 0.1 * blow.share, 0.0)


def cut_connections(stage: Stage, blow: Blow) -> None:
    _proxy_of(stage, blow).cut_all()


def kill_redis(stage: Stage, blow: Blow) -> End:
    stage.redis.kill()
    return lambda: stage.redis.start() and None


def forget_scripts(stage: Stage, blow: Blow) -> None:
    with stage.redis.connect() as connection:
        connection.script_flush()


def show_running(stage: Stage, blow: Blow) -> None:
    """Make messages visible that workers run, as a client may do. Others run them, too."""
    queue = QUEUES[int(blow.share * len(QUEUES))]
    for message in stage.client.peek_messages(queue, count=100, newest=True):
        if message.state == "running":
            stage.client.change_message_visibility(queue, message.id, 0)


def pause_queue(stage: Stage, blow: Blow) -> End:
    queue = QUEUES[int(blow.share * len(QUEUES))]
    stage.client.pause_queue(queue)
    return lambda: stage.client.resume_queue(queue) and None


def kill_database(stage: Stage, blow: Blow) -> End:
    stage.postgres.kill()
    return stage.postgres.restart


KINDS = {
    "kill child": Kind(kill_child),
    "kill keeper": Kind(kill_keeper),
    "kill supervisor": Kind(kill_supervisor),
    "kill group": Kind(kill_group),
    "deploy": Kind(deploy),
    "freeze group": Kind(freeze_group, "processes"),
    "freeze child": Kind(freeze_child, "processes"),
    "cut connections": Kind(cut_connections),
    "lose replies": Kind(lose_replies, "wire"),
    "cut off": Kind(cut_off, "wire"),
    "answer nothing": Kind(answer_nothing, "wire"),
    "answer late": Kind(answer_late, "wire"),
    "lose replies of sends": Kind(lose_replies_of_sends, "sender"),
    "kill Redis": Kind(kill_redis, "redis"),
    "forget scripts": Kind(forget_scripts, "redis"),
    "show running": Kind(show_running, "redis"),
    "pause queue": Kind(pause_queue, "redis"),
    "kill database": Kind(kill_database, "database"),
}
