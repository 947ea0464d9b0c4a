"""This queue through Django's tasks: ``enqueue``, ``enqueue_many``, and the same worker."""

from benchmarks.peers.programs import common, ours

if __name__ == "__main__":
    common.become_worker(ours.worker)

    import django

    django.setup()
    from benchmarks.peers.site.tasks import nap, noop

    JOBS = {"noop": noop, "nap": nap}
    common.main(
        send=lambda job, text: JOBS[job].enqueue(text),
        send_many=lambda job, texts: (
            JOBS[job].get_backend().enqueue_many(JOBS[job], [((text,), {}) for text in texts])
        ),
        setup=ours.setup,
    )
