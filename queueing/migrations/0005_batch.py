from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("queueing", "0004_staged_message"),
    ]

    operations = [
        migrations.CreateModel(
            name="Batch",
            fields=[
                (
                    "name",
                    models.CharField(max_length=160, primary_key=True, serialize=False, verbose_name="name"),
                ),
            ],
            options={
                "verbose_name": "batch",
                "verbose_name_plural": "batches",
                "permissions": [
                    ("retry_batch", "Can redrive the dead members of batches"),
                    ("cancel_batch", "Can cancel batches"),
                ],
                "abstract": False,
                "managed": False,
                "default_permissions": ("view",),
            },
        ),
    ]
