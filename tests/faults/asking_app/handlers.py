"""Each message asks the database for its process number. With a shared connection, the answers get mixed
up.
"""

import os

from django.db import connection

from queueing.handlers import handler, policy
from queueing.messages import Message
from tests.faults.app.handlers import _note

with connection.cursor() as _cursor:
    _cursor.execute("SELECT 1")


@handler("asking")
@policy(max_attempts=1)
def ask(message: Message) -> None:
    _note("start", message)
    for number in range(20):
        with connection.cursor() as cursor:
            cursor.execute("SELECT %s, %s", [os.getpid(), number])
            assert cursor.fetchone() == (os.getpid(), number)
    _note("end", message)
