"""The table of runs: brought up to date from their directories, and asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from sqlalchemy.dialects import postgresql, sqlite

from trivet.index import default_url
from trivet.runs.adoption import all_runs
from trivet.runs.summary import Summary, signature, summarise

SCHEMA = 1
"""Changes whenever the tables do; an index with another number is built anew."""

_metadata = sql.MetaData()
_schema = sql.Table("trivet_schema", _metadata, sql.Column("version", sql.Integer, primary_key=True))
_runs = sql.Table(
    "trivet_runs",
    _metadata,
    sql.Column("home", sql.Text, primary_key=True),
    sql.Column("id", sql.Text, primary_key=True),
    sql.Column("state", sql.Text, nullable=False, index=True),
    sql.Column("reason", sql.Text),
    sql.Column("message", sql.Text, nullable=False),
    sql.Column("contract", sql.Text, nullable=False),
    sql.Column("task", sql.Text, nullable=False),
    sql.Column("created", sql.Text, nullable=False, index=True),
    sql.Column("ended", sql.Text),
    sql.Column("units", sql.Integer, nullable=False),
    sql.Column("done", sql.Integer, nullable=False),
    sql.Column("failed", sql.Integer, nullable=False),
    sql.Column("signature", sql.Text, nullable=False),
)
_SHOWN = [_runs.c[field.name] for field in fields(Summary)]


class IndexUnusableError(RuntimeError):
    """The database can't be used; the message says why, and that no run is lost by it."""


class Index:
    """The list of the runs of one home, in a database that several homes may share.

    Raises IndexUnusableError wherever the database can't be reached or written.
    """

    def __init__(self, home: Path, url: str) -> None:
        self._home = home
        self._url = url
        with self._explained():
            if url == default_url(home):
                home.mkdir(parents=True, exist_ok=True)
                _remove_damaged(home / "index.db")
            self._engine = sql.create_engine(url)
            if self._engine.dialect.name == "sqlite":
                sql.event.listen(self._engine, "connect", _prepare_sqlite)
            with self._engine.begin() as connection:
                _create(connection)

    def rebuild(self) -> None:
        """Forget everything about this home and read it again."""
        with self._explained(), self._engine.begin() as connection:
            connection.execute(sql.delete(_runs).where(_runs.c.home == str(self._home)))
        self.refresh()

    def refresh(self) -> None:
        """Read every run whose directory changed since it was read last; forget those that are gone."""
        here = _runs.c.home == str(self._home)
        with self._explained(), self._engine.connect() as connection:
            rows = connection.execute(sql.select(_runs.c.id, _runs.c.signature).where(here))
            known = {row.id: row.signature for row in rows}
        changed: list[dict[str, Any]] = []
        seen: set[str] = set()
        for run in all_runs(self._home):
            # A run may vanish, or be written by a newer version, while it is read: others are listed all the same.
            with suppress(OSError, ValueError):
                now = signature(run)
                seen.add(run.id)
                if known.get(run.id) != now:
                    changed.append({"home": str(self._home), "signature": now, **asdict(summarise(run))})
        gone = [{"gone": name} for name in sorted(known.keys() - seen)]
        with self._explained(), self._engine.begin() as connection:
            if changed:
                self._upsert(connection, changed)
            if gone:
                connection.execute(sql.delete(_runs).where(here, _runs.c.id == sql.bindparam("gone")), gone)

    def runs(self, states: Sequence[str] = (), contract: str | None = None, limit: int | None = None) -> list[Summary]:
        """Summaries of runs, newest first."""
        query = sql.select(*_SHOWN).where(_runs.c.home == str(self._home))
        if states:
            query = query.where(_runs.c.state.in_(states))
        if contract is not None:
            query = query.where(_runs.c.contract == contract)
        query = query.order_by(_runs.c.created.desc(), _runs.c.id.desc()).limit(limit)
        with self._explained(), self._engine.connect() as connection:
            return [Summary(*row) for row in connection.execute(query)]

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def _upsert(self, connection: sql.Connection, rows: list[dict[str, Any]]) -> None:
        room = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        insert = room.insert(_runs)
        key = ("home", "id")
        changes = {column.name: insert.excluded[column.name] for column in _runs.c if column.name not in key}
        connection.execute(insert.on_conflict_do_update(index_elements=key, set_=changes), rows)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sql.exc.SQLAlchemyError, ImportError, OSError) as error:
            raise IndexUnusableError(_explanation(self._url, error)) from error


def _remove_damaged(path: Path) -> None:
    """An index of our own that is no database any more is worth nothing: it is built anew."""
    try:
        with path.open("rb") as stream:
            damaged = stream.read(16) not in (b"", b"SQLite format 3\0")
    except FileNotFoundError:
        return
    if damaged:
        path.unlink()


def _create(connection: sql.Connection) -> None:
    """Make the tables where they are missing or of another version; safe for several first users at once."""
    if connection.dialect.name == "postgresql":
        # CREATE TABLE IF NOT EXISTS alone may still fail there when two do it at the same moment.
        connection.execute(sql.text("SELECT pg_advisory_xact_lock(7264833)"))
    if sql.inspect(connection).has_table(_schema.name):
        if connection.execute(sql.select(_schema.c.version)).scalar() == SCHEMA:
            return
        _metadata.drop_all(connection)
    for table in _metadata.sorted_tables:
        connection.execute(sql.schema.CreateTable(table, if_not_exists=True))
        for index in table.indexes:
            connection.execute(sql.schema.CreateIndex(index, if_not_exists=True))
    room = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(room.insert(_schema).values(version=SCHEMA).on_conflict_do_nothing())


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA busy_timeout=10000")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def _explanation(url: str, error: Exception) -> str:
    shown = sql.make_url(url).render_as_string(hide_password=True) if "://" in url else url
    if isinstance(error, ImportError):
        return f"the index {shown} needs a driver: {error}; install trivet[postgresql]"
    reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    return f"the index {shown} can't be used: {reason}; runs themselves are safe in their directories"
