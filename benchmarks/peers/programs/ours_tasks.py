"""This queue through Django's tasks: ``enqueue``, ``enqueue_many``, and the same worker."""

import django

from benchmarks.peers.programs import common, ours

if __name__ == "__main__":
    django.setup()
    from benchmarks.peers.site.tasks import nap, noop

    JOBS = {"noop": noop, "nap": nap}
    common.main(
        send=lambda job, text: JOBS[job].enqueue(text),
        send_many=lambda job, texts: (
            JOBS[job].get_backend().enqueue_many(JOBS[job], [((text,), {}) for text in texts])
        ),
        work=ours.work,
        setup=ours.setup,
    )
