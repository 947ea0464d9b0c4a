"""The permissions of the console, from the models."""

from django.apps import apps

from . import text


def table() -> str:
    """One row for each permission."""
    rows = [(f"`queueing.{codename}`", name, model) for codename, name, model in found()]
    return text.table(("permission", "name", "model"), rows)


def found() -> list[tuple[str, str, str]]:
    """Codename, name and model of each permission."""
    return [
        (codename, name, str(model._meta.verbose_name))
        for model in apps.get_app_config("queueing").get_models()
        for codename, name in [
            *((f"{verb}_{model._meta.model_name}", f"Can {verb} {model._meta.verbose_name}")
              for verb in model._meta.default_permissions),
            *model._meta.permissions,
        ]
    ]  # fmt: skip
