"""The URLs for programs, probes and scrapers: ``path("", include("queueing.urls"))``."""

from django.urls import path

from . import views

app_name = "queueing"

urlpatterns = [
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("metrics", views.metrics_text, name="metrics"),
    path("queues.json", views.queues_json, name="queues_json"),
]
