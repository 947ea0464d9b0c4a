from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("queueing", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Identity",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("token", models.CharField(max_length=32, verbose_name="token")),
            ],
            options={
                "verbose_name": "identity",
                "verbose_name_plural": "identities",
                "default_permissions": (),
            },
        ),
    ]
