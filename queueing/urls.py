"""The probes of a platform: ``path("", include("queueing.urls"))``."""

from django.urls import path

from . import views

app_name = "queueing"

urlpatterns = [
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
]
