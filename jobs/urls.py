from django.urls import path

from . import views

app_name = "jobs"

urlpatterns = [
    path("", views.home, name="home"),
    path("state", views.state, name="state"),
    path("job", views.job, name="job"),
    path("demo/<slug:name>", views.demo, name="demo"),
    # Browsers request this URL for pages that do not name an icon, such as the pages of the admin.
    path("favicon.ico", views.icon, name="icon"),
]
