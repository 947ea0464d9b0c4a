"""The doors for programs, probes and scrapers: ``path("", include("queueing.urls"))``."""

from django.urls import path

from . import scrape_views, views

app_name = "queueing"

urlpatterns = [
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("metrics", scrape_views.metrics_text, name="metrics"),
    path("queues.json", scrape_views.queues_json, name="queues_json"),
]
