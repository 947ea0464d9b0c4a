"""Walks through the console of a project with a theme and presses verbs: exit 1 and a line for each fault."""

import sys

import django
from django.core.management import call_command

#: Links and parts that a page must have: what leads to verbs, to older rows and to fresh figures.
PARTS = {
    "job/": (
        "job/failures/",
        "job/all/forget/?",
        "job/export/",
        "period=hour",
        'name="since"',
        "data-live-url",
    ),
    "job/901902/change/": ("job/all/forget/?ids=901902", "queueing-timeline", "queueing-related"),
    "job/all/forget/?ids=901902": ('name="work"',),
    "queue/": ("queue/add/", "queue/charts/", "queue/mail/pause/", "data-live-url"),
    "queue/mail/change/": ("mail/pause/", "mail/purge/", "mail/move/", "mail/delete/", 'name="vt"'),
    "queue/mail/messages/": ('name="ids"', "formaction"),
    "worker/": ("worker/quiet/", "data-live-url"),
    "schedule/": ("schedule/pause/", "data-live-url"),
}


def main() -> None:
    django.setup()
    call_command("migrate", verbosity=0)

    from django.contrib.auth.models import User
    from django.test import Client

    from queueing.models import Job
    from queueing.testing import fake_queues
    from tests.unit.admin.crawl import BIG_ID, crawl, fill
    from tests.unit.admin.test_jobs_verbs import signed

    console = "/admin/queueing/"
    browser = Client(raise_request_exception=False)
    user = User.objects.create_superuser("boss")
    browser.force_login(user)
    faults, seen = [], 0

    def expect(is_so: bool, *what: object) -> None:
        if not is_so:
            faults.append(" ".join(map(str, what)))

    with fake_queues() as client:
        fill(client, user=user)
        # First: a worker without a heartbeat for a while has no verbs.
        for page, parts in PARTS.items():
            text = browser.get(f"{console}{page}").content.decode()
            for part in (*parts, "queueing/admin.css"):
                expect(part in text, page, "has no", part)

        starts = [f"{console}{page}/" for page in ("job", "queue", "worker", "schedule")]
        for url, page in crawl(browser, *starts, within=console):
            seen += 1
            expect(page.status_code in (200, 302, 405), page.status_code, url, getattr(page, "exc_info", ""))
        expect(seen > 100, "only", seen, "pages were found")
        browser.post(f"{console}queue/mail/pause/", {"confirmed": "1"})
        expect(client.queue_figures(["mail"])[0].paused, "mail is not paused")
        new = {"name": "new", "vt": "30", "delay": "0", "maxsize": "65536"}
        browser.post(f"{console}queue/add/", new)
        expect("new" in client.list_queues(), "no queue was made")
        form = {"action": "delete_selected", "_selected_action": str(BIG_ID)}
        question = browser.post(f"{console}job/", form, follow=True)
        browser.post(f"{console}job/all/forget/", {"work": signed(question)})
        expect(not Job.objects.filter(pk=BIG_ID).exists(), "the job was not deleted")
    sys.stderr.write("\n".join(faults))
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
