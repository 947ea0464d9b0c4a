"""Jobs of the shop: some take a while, and some fail."""

import json
import time

from queueing.handlers import handler, policy
from queueing.messages import Message
from queueing.periodic import periodic


class MailboxUnavailable(Exception):
    """The other mail server refused an address."""


@policy(max_attempts=3, backoff=1.5)
@handler("emails")
def send_email(message: Message) -> None:
    """Deliver one e-mail."""
    order = json.loads(message.body)
    time.sleep(0.04)
    _deliver(order["to"], f"Your order {order['order']} is on its way")


def _deliver(address: str, subject: str) -> None:
    if address.endswith(".invalid"):
        raise MailboxUnavailable(f"550 5.1.1 <{address}>: Recipient address rejected, {subject!r} not sent")


@periodic(seconds=900, body='{"picture": "of the hour.jpg", "width": 4000, "scale": 4}', missed="skip")
@handler("thumbnails")
def make_thumbnail(message: Message) -> None:
    """Make one small picture of a large one."""
    picture = json.loads(message.body)
    time.sleep(0.2)
    picture["width"] // picture["scale"]


@periodic("0 6 1 * *", time_zone="Europe/Berlin", body='{"all of": "last month"}')
@handler("invoices")
def write_invoice(message: Message) -> None:
    """Write one invoice."""
    time.sleep(0.1)
