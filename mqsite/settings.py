"""The settings of the site, from environment variables.

Importing this module needs no variable, no Redis and no database, so ``collectstatic`` and image builds work.
``ENVIRONMENT_PROBLEMS`` has a sentence for each missing or wrong variable. ``startup`` prints these sentences
and exits.
"""

import os
from datetime import timedelta
from pathlib import Path

from django.core.management.utils import get_random_secret_key

from .addresses import database, redis_url
from .environment import Environment
from .startup import missing_variables

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"

env = Environment(os.environ)
ON_HEROKU = "DYNO" in env

# --- Development or production ----------------------------------------------------------------

DEBUG = env.flag("DEBUG", default=False)
# Without the variable, a site in production stops at its start. The random key is only for builds and
# checks, and the known key only for development.
SECRET_KEY = env.text("SECRET_KEY") or ("known-to-all" if DEBUG else get_random_secret_key())

# --- The application --------------------------------------------------------------------------

INSTALLED_APPS = [
    "whitenoise.runserver_nostatic",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "queueing",
    "jobs",
]
MIDDLEWARE = [
    "mqsite.probes.ProbeMiddleware",
    "mqsite.proxy.ClientAddressMiddleware",
    "mqsite.whole_body.WholeBodyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "mqsite.csp.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "mqsite.urls"
CSRF_FAILURE_VIEW = "jobs.views.csrf_failure"
WSGI_APPLICATION = "mqsite.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LANGUAGE_CODE = "en-us"
# This folder has the translations of ``jobs``, ``templates/`` and ``mqsite/``. The package ``queueing`` has
# its own.
LOCALE_PATHS = [BASE_DIR / "jobs" / "locale"]
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

# --- Database and queue -----------------------------------------------------------------------

DATABASES = {"default": database(env, VAR_DIR / "db.sqlite3")}
QUEUEING = {
    "URL": redis_url(env, default="redis://127.0.0.1:6379/0"),
    # Heroku's certificates are self-signed.
    "TLS_VERIFY": env.flag("REDIS_TLS_VERIFY", default=not ON_HEROKU),
    # Seconds: if Redis does not answer, a page must still respond soon.
    "TIMEOUT": 1.0,
    "QUEUES": ["testqueue"],
    # On hosting platforms, options of a worker are set by environment variables, not on its command line.
    **{
        name: env.number(f"WORKER_{name}", default=1)
        for name in ("PROCESSES", "THREADS", "MAX_JOBS", "MAX_MEMORY", "LEASE", "GRACE")
        if env.text(f"WORKER_{name}")
    },
    **{
        name: text
        for name, variable in {
            "WORKER_NAME": "WORKER_NAME",
            "LOG_FORMAT": "WORKER_LOG_FORMAT",
            "HEALTH_FILE": "WORKER_HEALTH_FILE",
        }.items()
        if (text := env.text(variable))
    },
    "METRICS_TOKEN": env.text("METRICS_TOKEN"),
}

# Django's own tasks (jobs/tasks.py), run by the same workers as the messages of the queues.
TASKS = {"default": {"BACKEND": "queueing.tasks_backend.RSMQBackend", "QUEUES": ["default"]}}

# --- Static files -----------------------------------------------------------------------------

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# --- Security ---------------------------------------------------------------------------------

# Heroku's router passes on only requests to the app's own domains.
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS", ["*"] if ON_HEROKU else ["localhost", "127.0.0.1", "[::1]"])
# Whether to trust the proxy: X-Forwarded-Proto, and the last entry of X-Forwarded-For.
TRUST_PROXY = env.flag("TRUST_PROXY", default=ON_HEROKU)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUST_PROXY else None
SECURE_SSL_REDIRECT = TRUST_PROXY
SESSION_COOKIE_SECURE = TRUST_PROXY
CSRF_COOKIE_SECURE = TRUST_PROXY
DEFAULT_EXCEPTION_REPORTER_FILTER = "mqsite.debug_filter.DebugFilter"
# Short at first: browsers remember it, and a mistake lasts as long.
SECURE_HSTS_SECONDS = env.number("HSTS_SECONDS", default=3600)
# Nothing inline, nothing from elsewhere.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        *(f"{kind}-src 'self'" for kind in ("connect", "font", "img", "manifest", "script", "style")),
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
# After too many wrong passwords, logins from the visitor's address are refused. The account is not locked,
# because then anyone could lock out its owner by entering wrong passwords.
AXES_LOCKOUT_PARAMETERS = ["ip_address"]
AXES_CLIENT_IP_CALLABLE = "mqsite.proxy.client_network"
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
# Further attempts do not extend the lockout, so that an office behind one address can log in again.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_LOCKOUT_TEMPLATE = "429.html"
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
SILENCED_SYSTEM_CHECKS = [
    # This site does not know whether other subdomains have TLS.
    "security.W005",
    # This check asks for ``SECURE_HSTS_PRELOAD``, which lets a domain into the preload list of browsers. Only
    # the owner of the domain should decide this, because it takes long to remove a domain from the list.
    "security.W021",
]

# --- Logging ----------------------------------------------------------------------------------

# One plain line per event on stderr, separate from the output of a command on stdout.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "queueing.logging.TextFormatter",
            "fmt": "%(asctime)s %(levelname)s %(name)s: %(message)s",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": ["console"], "level": "INFO", "propagate": False},
        # Only failed attempts to log in are logged.
        "axes": {"handlers": ["console"], "level": "WARNING", "propagate": False},
        # The page asks for the state several times a second: only errors are worth a line.
        "django.server": {"handlers": ["console"], "level": "WARNING", "propagate": False},
        # Each task has two lines at INFO, and the worker logs the same events.
        "django.tasks": {"level": "WARNING"},
        "django_tasks": {"level": "WARNING"},
    },
}

# --- What is missing --------------------------------------------------------------------------

ENVIRONMENT_PROBLEMS = ({} if DEBUG else missing_variables(env)) | env.problems
