from django.conf import settings
from django.contrib import admin
from django.urls import include, path

# Only this theme has pages of its own.
of_theme = [path("grappelli/", include("grappelli.urls"))] if settings.THEME == "grappelli" else []
urlpatterns = [*of_theme, path("admin/", admin.site.urls)]
