"""This queue: `runworker` with the history on. Unlike the peers it runs in the project's environment."""

from benchmarks.peers.programs import common

QUEUE = "bench"


def setup() -> None:
    from django.core.management import call_command

    from queueing import get_client

    call_command("migrate", verbosity=0)
    get_client().create_queue(QUEUE)


def worker(processes: int, threads: int) -> list[object]:
    return ["manage.py", "runworker", QUEUE, "--processes", processes, "--threads", threads]


if __name__ == "__main__":
    common.become_worker(worker)

    import django

    from queueing import get_client

    django.setup()
    common.main(
        send=lambda job, text: get_client().send_message(QUEUE, f"{job} {text}"),
        send_many=lambda job, texts: get_client().send_messages(QUEUE, [f"{job} {text}" for text in texts]),
        setup=setup,
    )
