"""The history that a worker's recorder wrote, read from the database file without Django."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path


class Diary:
    """Queries on the SQLite file of a worker."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def states(self) -> dict[str, int]:
        """State -> number of jobs."""
        return dict(self.query("SELECT state, count(*) FROM queueing_job GROUP BY state"))

    def ids(self, state: str = "done") -> set[str]:
        """Message ids of the jobs in ``state``."""
        return {row[0] for row in self.query("SELECT message_id FROM queueing_job WHERE state = ?", state)}

    def row(self, message_id: str) -> dict[str, object]:
        """The row of one message, or {}."""
        columns = ("state", "rc", "attempts", "crashes", "error", "body")
        rows = self.query(f"SELECT {', '.join(columns)} FROM queueing_job WHERE message_id = ?", message_id)
        return dict(zip(columns, rows[0], strict=True)) if rows else {}

    def outcomes(self, message_id: str) -> list[tuple[int, str]]:
        """(rc, outcome) of each attempt of one message, oldest first."""
        return self.query(
            "SELECT a.rc, a.outcome FROM queueing_attempt a JOIN queueing_job j ON j.id = a.job_id"
            " WHERE j.message_id = ? ORDER BY a.rc",
            message_id,
        )

    def ended_ms(self, message_id: str, rc: int) -> float:
        """When one attempt of a message ended, by the clock of Redis."""
        [(text,)] = self.query(
            "SELECT a.finished_at FROM queueing_attempt a JOIN queueing_job j ON j.id = a.job_id"
            " WHERE j.message_id = ? AND a.rc = ?",
            message_id,
            rc,
        )
        return _ms(text)

    def finished_ms(self) -> list[float]:
        """When each job finished, in ms since 1970."""
        rows = self.query("SELECT finished_at FROM queueing_job")
        return [_ms(text) for (text,) in rows]

    def last_outcomes(self) -> dict[tuple[str, str], tuple[int, str]]:
        """(queue, message id) -> (rc, state) of every job."""
        rows = self.query("SELECT queue, message_id, rc, state FROM queueing_job")
        return {(queue, message_id): (rc, state) for queue, message_id, rc, state in rows}

    def query(self, sql: str, *values: object) -> list[tuple]:
        """The rows of one statement."""
        connection = sqlite3.connect(self.path, timeout=60)
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()


def _ms(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000
