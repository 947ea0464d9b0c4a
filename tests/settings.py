"""The site's settings in development, independent of the variables in the shell.

Without this, a shell that knows a real Redis or database would have the tests write to it. Child
processes of the tests inherit the same clean variables, plus those that a test gives them.
"""

import os

for _name in (
    *(
        "ALLOWED_HOSTS",
        "DATABASE_URL",
        "DYNO",
        "HSTS_SECONDS",
        "METRICS_TOKEN",
        "PORT",
        "REDIS_TLS_URL",
        "REDIS_TLS_VERIFY",
    ),
    *("REDIS_URL", "TRUST_PROXY", "WEB_CONCURRENCY"),
    # With it each of the hundreds of processes that the tests start would compile the project for itself.
    "PYTHONDONTWRITEBYTECODE",
):
    os.environ.pop(_name, None)
os.environ |= {"DEBUG": "1", "SECRET_KEY": "only-for-tests"}

from mqsite.settings import *  # noqa: E402, F403

#: WhiteNoise looks a file up when it is asked for: each test client would read the whole folder first.
WHITENOISE_AUTOREFRESH = True
