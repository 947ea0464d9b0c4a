"""The site as an ASGI application."""

import os

from django.core.asgi import get_asgi_application

from .startup import DO_NOT_RESTART, create_queues, require_variables

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mqsite.settings")
require_variables(exit_code=DO_NOT_RESTART)
application = get_asgi_application()
create_queues()
