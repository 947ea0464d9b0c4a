from django.urls import path

from . import views

app_name = "jobs"

urlpatterns = [
    path("", views.home, name="home"),
    path("state", views.state, name="state"),
    path("job", views.job, name="job"),
    path("demo/<slug:name>", views.demo, name="demo"),
    # For pages that name no icon of their own, as the admin's.
    path("favicon.ico", views.icon, name="icon"),
]
