"""Messages that are sent to the shop."""

import json
from contextlib import suppress

from queueing.client import QueueClient
from queueing.exceptions import QueueExists

CUSTOMERS = ("ada@example.com", "grace@example.org", "alan@example.net", "edsger@example.com")
QUEUES = ("emails", "thumbnails", "invoices")


def bad_address() -> str:
    """A customer whose address refuses e-mail."""
    return "nobody@example.invalid"


def make_queues(client: QueueClient) -> None:
    for queue in QUEUES:
        with suppress(QueueExists):
            client.create_queue(queue)


def some_work(client: QueueClient, count: int) -> None:
    """Send ``count`` e-mails, every twentieth to a refused address, and other work."""
    emails = [
        {"to": CUSTOMERS[number % 4] if number % 20 else bad_address(), "order": 4711 + number, "lang": "en"}
        for number in range(count)
    ]
    client.send_messages("emails", [json.dumps(email) for email in emails])
    pictures = [{"picture": f"p{n}.jpg", "width": 4000, "scale": n % 9} for n in range(count // 3)]
    client.send_messages("thumbnails", [json.dumps(picture) for picture in pictures])
    client.send_messages("invoices", [json.dumps({"order": 4711 + n}) for n in range(count // 6)])
    client.send_message("invoices", json.dumps({"order": 4710, "due": "tomorrow"}), delay=86_400)


def for_later(client: QueueClient, count: int) -> None:
    """Send ``count`` e-mails that are due in the next days."""
    emails = [{"to": CUSTOMERS[number % 4], "reminder": number, "lang": "en"} for number in range(count)]
    for number, email in enumerate(emails):
        client.send_message("emails", json.dumps(email), delay=3600 * (2 + 7 * number))
