"""The URLs: the admin, the application's page, and the probes of the queue."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("queueing.urls")),
    path("", include("jobs.urls")),
]
