"""The tables of a home folder: what people made (MADE), and jobs (JOBS).

Columns are NOT NULL with a default where rows of earlier versions lack them. `sequence` is their order.
A change here needs a file in `migrations/`.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import (
    DDL,
    JSON,
    Boolean,
    Column,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    event,
    false,
)
from sqlalchemy.types import TypeDecorator

MADE = MetaData(info={"name": "citeloop", "durable": True})
"""What people made: none of it can be computed again."""
JOBS = MetaData(info={"name": "progress", "durable": False})
"""Work in progress and its history. Not durable: the results themselves show how far a job came."""


class Names(TypeDecorator[tuple[str, ...]]):
    """A tuple of strings, stored as JSON."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Collection[str] | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else json.dumps(list(value))

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[str, ...] | None:  # noqa: ARG002
        names = json.loads(value or "null")  # earlier versions stored None as JSON, too
        return None if names is None else tuple(names)


def _sequence() -> Column[int]:
    return Column("sequence", Integer, primary_key=True)


def _text(name: str, default: str = "", *, unique: bool = False) -> Column[str]:
    return Column(name, Text, nullable=False, server_default=default, unique=unique)


def _number(name: str, default: int = 0) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default=str(default))


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=false())


def _key(name: str) -> Column[str]:
    return Column(name, Text, primary_key=True)


def _maybe(name: str, kind: Any = Text) -> Column[Any]:
    return Column(name, kind)


def _log(name: str, *columns: Column[Any] | Index | UniqueConstraint) -> Table:
    """Return a table that only grows: its numbers are never given again."""
    return Table(name, MADE, _sequence(), *columns, sqlite_autoincrement=True)


def _passage() -> list[Column[Any]]:
    texts = ("chunk_id", "document", "title", "heading")
    return [*(_text(name) for name in texts), _maybe("page", Integer), _text("text")]


# conversations and feedback --------------------------------------------------------------------------

answers = Table(
    "answers",
    MADE,
    _sequence(),
    _text("id", unique=True),
    *(_text("conversation_id"), _text("user"), _text("asked_at")),
    Column("answer", JSON, nullable=False),
    Index("answers_by_conversation", "conversation_id", "asked_at"),
    Index("answers_by_user", "user", "asked_at"),
)
titles = Table("titles", MADE, _key("conversation_id"), _text("title"))
removed = Table("removed", MADE, _key("id"), _text("asked_at"), _text("reranker"), _number("num_citations"))
shares = Table("shares", MADE, _key("token"), _text("conversation_id", unique=True), _text("user"), _text("created_at"))
events = _log(
    "events",
    _text("id", unique=True),
    *(_text("at"), _text("user"), _text("action"), _maybe("reason"), _text("answer_id"), _text("question")),
    *(_text("reranker"), _text("reranker_version"), _text("embedder"), _text("answered_by")),
    _maybe("number", Integer),
    *_passage(),
    *(_number("rank"), Column("score", Float, nullable=False, server_default="0"), _maybe("reranker_score", Float)),
    *(_number("fused_rank"), Column("fused_score", Float, nullable=False, server_default="0")),
    *(_maybe("vector_rank", Integer), _maybe("vector_score", Float)),
    *(_maybe("text_rank", Integer), _maybe("text_score", Float)),
    _text("shown"),
    Index("events_by_citation", "answer_id", "chunk_id", "user"),
)
judgements = _log(
    "judgements",
    _text("key"),
    _text("id", unique=True),
    *(_text("at"), _text("user"), _text("question"), _text("label"), _text("origin")),
    *_passage(),
    Index("judgements_by_key", "key", "sequence"),
)
question_vectors = Table(
    "question_vectors", MADE, _key("question"), _key("embedder"), Column("vector", LargeBinary, nullable=False)
)
statements = _log(
    "statements",
    *(_text("question"), _text("user"), _text("at"), _text("shown"), _flag("withdrawn"), _text("text")),
    *(_text("sources", "[]"), _maybe("collections", Names)),
)
ignored_users = _log("ignored_users", _text("user"), _text("at"), _text("decided_by"), _flag("ignored"))

# who may do what -------------------------------------------------------------------------------------

keys = Table(
    "keys",
    MADE,
    _key("sha256"),
    *(_text("name", unique=True), _text("created_at"), _maybe("last_used_at")),
    *(_text("scopes", "search ask rerank feedback"), _maybe("expires_at"), _number("rate", 300)),
    *(_number("num_users", 100), _text("owner"), _maybe("collections", Names)),  # defaults of keys older than limits
)
key_users = Table("key_users", MADE, _key("name"), _key("user"))
audit_entries = _log("audit_entries", *map(_text, ("at", "user", "act", "subject", "address")))
_ONLY_GROWS = {
    "sqlite": [
        f"CREATE TRIGGER never_{change.lower()}d BEFORE {change} ON audit_entries"
        " BEGIN SELECT RAISE(ABORT, 'only grows'); END"
        for change in ("UPDATE", "DELETE")
    ],
    "postgresql": [
        "CREATE FUNCTION only_grows() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''only grows''; END'",
        "CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON audit_entries"
        " FOR EACH ROW EXECUTE FUNCTION only_grows()",
    ],
}
for _dialect, _statements in _ONLY_GROWS.items():
    for _statement in _statements:
        _grows = DDL(_statement).execute_if(dialect=_dialect)  # type: ignore[no-untyped-call]
        event.listen(audit_entries, "after_create", _grows)

# models and training ---------------------------------------------------------------------------------

models = Table(
    "models",
    MADE,
    _sequence(),
    _text("name", unique=True),
    *map(_text, ("kind", "base", "created_at", "fingerprint", "job_id", "note")),
    *(_text("files", "{}"), _maybe("removed_at")),  # the row of a removed model stays, so that its name is not reused
)
promotions = _log("promotions", *map(_text, ("at", "who", "model", "previous", "action", "why", "verdict")))
trials = _log("trials", *map(_text, ("model", "live", "since", "who", "outcome")))
switches = Table("switches", MADE, _key("name"), _flag("is_on"))
question_parts = Table("question_parts", MADE, _key("question"), _text("part"))
proposals = Table(
    "proposals",
    MADE,
    _sequence(),
    *(_text("id", unique=True), _text("at"), _text("question")),
    *_passage(),
    *(_text("model"), _text("state", "open"), _text("decided_by")),
)

# documents -------------------------------------------------------------------------------------------

sources = Table(
    "sources",
    MADE,
    _key("name"),
    *(_text("address", unique=True), _text("collection"), _text("every"), _flag("inner"), _text("next_at")),
)
source_items = Table("source_items", MADE, _key("source"), _key("address"), _text("stamp"), _flag("unread"))
corrections = Table(
    "corrections",
    MADE,
    _sequence(),
    *(_text("document_id"), _text("other_id"), _flag("is_replaced"), _text("user"), _text("made_at")),
    UniqueConstraint("document_id", "other_id"),
)

# jobs ------------------------------------------------------------------------------------------------


def job_table(name: str, tables: MetaData, *columns: Column[Any]) -> Table:
    """Return a table with the fields of BaseJob and further ones."""
    return Table(
        name,
        tables,
        _sequence(),
        *(_text("id", unique=True), _text("created_at"), _text("state", "queued")),
        *(_maybe("started_at"), _maybe("ended_at"), _maybe("heartbeat_at")),
        *(_flag("cancel_requested"), _number("attempts"), _text("current"), _text("message")),
        *columns,
    )


ingest_jobs = job_table(
    "ingest_jobs",
    JOBS,
    *(_text("kind"), Column("paths", Names, nullable=False, server_default="[]"), _flag("prune")),
    *(_text("embedder"), _text("collection"), _text("source")),
    *(_number("num_files"), _number("num_files_done"), _number("num_chunks_done")),
)
ingest_results = Table(
    "ingest_results",
    JOBS,
    _sequence(),
    *(_text("job_id"), _text("name"), _text("source"), _text("status"), _number("num_chunks"), _text("reason")),
    UniqueConstraint("job_id", "source"),
)
answer_jobs = job_table(
    "answer_jobs",
    JOBS,
    *(_text("answer_id"), Column("without", Names, nullable=False, server_default="[]"), _text("text")),
)
training_jobs = job_table(
    "training_jobs",
    JOBS,
    *(_text("kind"), _text("base"), _number("seed"), _text("user"), _number("step"), _number("num_steps")),
    *(_maybe("learning_since"), _text("model"), _text("verdict")),
)
training_losses = Table(
    "training_losses",
    JOBS,
    _sequence(),
    *(_text("job_id"), _number("step"), _number("num_steps"), _maybe("training", Float), _maybe("validation", Float)),
)
download_jobs = job_table("download_jobs", JOBS, _text("model_id"), _number("num_bytes"), _number("size"))
proposal_jobs = job_table(
    "proposal_jobs",
    JOBS,
    *(_number("count"), _number("seed"), _number("num_done"), _number("num_proposed"), _text("refused")),
)
