from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("queueing", "0002_identity"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="job",
            options={
                "permissions": [
                    ("rerun_job", "Can run processed jobs again"),
                    ("redrive_job", "Can redrive dead jobs"),
                    ("cancel_job", "Can cancel jobs that have not started"),
                    ("stop_job", "Can stop jobs that run"),
                ],
                "verbose_name": "processed job",
                "verbose_name_plural": "processed jobs",
            },
        ),
    ]
