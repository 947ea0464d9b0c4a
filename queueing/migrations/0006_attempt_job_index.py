import django.db.models.deletion
from django.db import migrations, models


class AlterOnlyIndex(migrations.AlterField):
    """A change of ``db_index`` that only drops or creates the index.

    Django's own operation would also check the foreign key of each row on PostgreSQL, and copy the whole
    table on SQLite.
    """

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        connection = schema_editor.connection
        model = to_state.apps.get_model(app_label, self.model_name)
        if connection.vendor not in ("postgresql", "sqlite"):
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        elif not self.allow_migrate_model(connection.alias, model):
            return
        elif model._meta.get_field(self.name).db_index:
            schema_editor.add_index(model, models.Index(fields=[self.name], name="queueing_attempt_job"))
        else:
            with connection.cursor() as cursor:
                found = connection.introspection.get_constraints(cursor, model._meta.db_table)
            for name, of in found.items():
                if of["index"] and not of["unique"] and of["columns"] == ["job_id"]:
                    schema_editor.execute(f"DROP INDEX {schema_editor.quote_name(name)}")


class Migration(migrations.Migration):
    dependencies = [
        ("queueing", "0005_batch"),
    ]

    operations = [
        AlterOnlyIndex(
            model_name="attempt",
            name="job",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="history",
                to="queueing.job",
                verbose_name="job",
            ),
        ),
    ]
