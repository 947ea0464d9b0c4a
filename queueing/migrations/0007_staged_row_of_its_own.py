from django.db import migrations, router
from django.db.models import F


def give_senders(apps, schema_editor):
    """Give a sender of its own to each row that shared one: Redis would take its message for a repeat."""
    model, alias = apps.get_model("queueing", "StagedMessage"), schema_editor.connection.alias
    if router.allow_migrate_model(alias, model):
        model.objects.using(alias).filter(size__gt=1).update(sender=F("message_id"))


class Migration(migrations.Migration):
    dependencies = [
        ("queueing", "0006_attempt_job_index"),
    ]

    operations = [
        migrations.RunPython(give_senders, migrations.RunPython.noop, elidable=True),
        migrations.RemoveField("stagedmessage", "size"),
    ]
