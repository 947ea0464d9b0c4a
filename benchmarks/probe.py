"""Measures one commit for ``compare``, and prints the figures as JSON.

The figures are CPU times and memory. Rates are not measured, because other load on the machine changes them
more. ``compare`` runs this file with the code of the commit on ``PYTHONPATH``, so the file uses only public
names.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable


def main(count: int, *, with_tasks: bool) -> None:
    import django

    django.setup()
    from django.core.management import call_command

    import queueing
    from benchmarks.task_app.tasks import nothing

    if not os.path.exists(os.environ["PROBED_DATABASE"]):
        call_command("migrate", verbosity=0)
    client = queueing.get_client()
    for queue in ("plain", "default"):
        client.create_queue(queue)
    redis = client.redis
    start_seconds = run_worker("plain")
    found = {"start of a worker, ms": start_seconds * 1e3}

    def measure(name: str, act: Callable[[], object], of: int) -> None:
        before, redis_before = time.process_time(), redis_seconds(redis)
        act()
        found[f"{name}, process"] = (time.process_time() - before) / of * 1e6
        found[f"{name}, Redis"] = (redis_seconds(redis) - redis_before) / of * 1e6

    bodies = [f"{number:0100d}" for number in range(count)]
    nothing.enqueue(0)
    client.send_message("plain", bodies[0])
    measure("send_message", lambda: [client.send_message("plain", body) for body in bodies], count)
    measure("enqueue", lambda: [nothing.enqueue(number) for number in range(count)], count)
    many = [*bodies] * 4
    client.create_queue("singles")
    client.send_messages("singles", bodies)
    received: list[queueing.Message] = []
    for name, act in (
        ("receive_message", lambda: [received.append(client.receive_message("singles")) for _ in bodies]),
        (
            "change_message_visibility",
            lambda: [client.change_message_visibility("singles", message.id, 60) for message in received],
        ),
        ("delete_message", lambda: [client.delete_message("singles", message.id) for message in received]),
    ):
        measure(name, act, count)
    measure("send_messages", lambda: client.send_messages("plain", many), len(many))
    for name, queue, jobs in [("job", "plain", 5 * count + 1), ("task", "default", count + 1)][
        : 1 + with_tasks
    ]:
        redis_before = redis_seconds(redis)
        found[f"{name}, worker"] = (run_worker(queue) - start_seconds) / jobs * 1e6
        found[f"{name}, Redis"] = (redis_seconds(redis) - redis_before) / jobs * 1e6
    found["peak memory of a worker, MB"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    sys.stdout.write(json.dumps(found))


def redis_seconds(redis) -> float:
    cpu = redis.info("cpu")
    return float(cpu["used_cpu_user"] + cpu["used_cpu_sys"])


def run_worker(queue: str) -> float:
    """Run a worker until its queue is empty. Returns the CPU seconds of all its processes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "manage.py", "runworker", queue, "--burst"],
        cwd=os.environ["PROBED"], check=True, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main(int(sys.argv[1]), with_tasks=int(sys.argv[1]) >= 1000)
