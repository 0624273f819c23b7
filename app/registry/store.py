"""Registry: the models' rows, history and folders."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any

from app.registry.entries import (
    RERANKER_KINDS,
    SHIPPED,
    Action,
    Promotion,
    RegistryError,
    TrainedModel,
    Trial,
    TrialOutcome,
    Verdict,
)
from app.registry.files import check_files, fingerprint, flush, other_files, read_verdict
from app.registry.going_live import objection
from ingest.home.database import now, transaction
from ingest.home.folder import flush_entries, make_home
from ingest.home.whole_folders import unfinished_folder

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_TAKEN = (SHIPPED, "none", "live", "trained", "http", *RERANKER_KINDS)
"""Names of rerankers outside the registry."""

_AUTO_PROMOTE = "promotes by itself"
_MODEL = ", ".join(field.name for field in fields(TrainedModel))
_PROMOTION = ", ".join(field.name for field in fields(Promotion))
_TRIAL = ", ".join(field.name for field in fields(Trial))
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS models (name TEXT PRIMARY KEY, kind TEXT NOT NULL, base TEXT NOT NULL,"
    " created_at TEXT NOT NULL, fingerprint TEXT NOT NULL, job_id TEXT NOT NULL, note TEXT NOT NULL,"
    " files TEXT NOT NULL, removed_at TEXT)",  # the row of a removed model stays, so that its name is not reused
    "CREATE TABLE IF NOT EXISTS promotions (sequence INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL,"
    " who TEXT NOT NULL, model TEXT NOT NULL, previous TEXT NOT NULL, action TEXT NOT NULL, why TEXT NOT NULL,"
    " verdict TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS trials (sequence INTEGER PRIMARY KEY AUTOINCREMENT, model TEXT NOT NULL,"
    " live TEXT NOT NULL, since TEXT NOT NULL, who TEXT NOT NULL, outcome TEXT NOT NULL DEFAULT '')",
    "CREATE TABLE IF NOT EXISTS switches (name TEXT PRIMARY KEY, is_on INTEGER NOT NULL)",
)


class Registry:
    """The models of one home folder; every method is one transaction that survives a crash.

    Reading creates no files. Every method raises RegistryError when the file is damaged or the disk is full.
    """

    def __init__(self, home: Path) -> None:
        self.models_folder = home / "models"
        self._path = home / "models.sqlite3"

    def folder(self, name: str) -> Path:
        """Return the folder of the model with this name."""
        return self.models_folder / name

    # models ------------------------------------------------------------------------------------------

    def models(self) -> list[TrainedModel]:
        """Return all models, newest first."""
        with self._reading() as connection:
            rows = connection.execute(f"SELECT {_MODEL} FROM models WHERE removed_at IS NULL ORDER BY rowid DESC")
            return [TrainedModel(*row) for row in rows]

    def model(self, name: str) -> TrainedModel:
        """Return the model with this name. Raises RegistryError, with the known names."""
        with self._reading() as connection:
            return _model(connection, name)

    def check(self, name: str) -> None:
        """Check every file of a model, except the shipped one.

        Raises RegistryError when a file is missing or has changed since registration.
        """
        if name != SHIPPED:
            with self._reading() as connection:
                self._check(connection, name)

    def verdict(self, name: str) -> Verdict | None:
        """Return the gate's verdict on a model, or None if there is none. Raises RegistryError if it is damaged."""
        return read_verdict(self.folder(name))

    def downloaded(self, hub_id: str) -> str | None:
        """Return the name of the newest model that was downloaded under this id, None if there is none."""
        return next((model.name for model in self.models() if model.base.startswith(f"{hub_id}@")), None)

    def free_name(self, wanted: str) -> str:
        """Return a name that was never used: the wanted one, or with -2, -3 and so on."""
        with self._reading() as connection:
            used = {name for (name,) in connection.execute("SELECT name FROM models")}
        names = (wanted, *(f"{wanted}-{number}" for number in range(2, len(used) + 3)))
        return next(name for name in names if name not in used)

    def new_name(self) -> str:
        """Return the next free name: reranker-1, reranker-2 and so on."""
        with self._reading() as connection:
            return _next_name(connection)

    def unfinished(self) -> AbstractContextManager[Path]:
        """Open a new hidden folder to make a model in; it is deleted afterwards unless `add` has moved it."""
        return unfinished_folder(self.models_folder)

    def add(
        self, unfinished: Path, name: str | None = None, *, kind: str, base: str, job_id: str = "", note: str = ""
    ) -> TrainedModel:
        """Register a folder from `unfinished` as a model: move it to its final place and add its row.

        name: None takes the next free one. A crash leaves a folder without a row, which the next call removes. Raises
        RegistryError when the name is taken.
        """
        flush(unfinished)
        with self._writing() as connection:
            self._remove_strays(connection)
            name = name or _next_name(connection)
            _expect_free(connection, name)
            model = TrainedModel(name, kind, base, now(), fingerprint(unfinished), job_id, note)
            self.models_folder.mkdir(exist_ok=True)
            unfinished.rename(self.folder(name))
            flush_entries(self.models_folder)
            _insert(connection, model, self.folder(name))
        return model

    def remove(self, name: str) -> None:
        """Delete a model. Raises RegistryError for the live one, the target of a rollback and one on trial."""
        with self._writing() as connection:
            _model(connection, name)
            if name == _standing(connection)[0]:
                raise RegistryError(f"{name} is live; promote another one first, or roll back")
            if name == self._rollback_target(connection):
                raise RegistryError(f"{name} is the target of a rollback; promote another one first")
            if (trial := _trial(connection)) and trial.model == name:
                raise RegistryError(f"{name} is on trial; stop the trial first")
            connection.execute("UPDATE models SET removed_at = ? WHERE name = ?", (now(), name))
        shutil.rmtree(self.folder(name), ignore_errors=True)  # after a failure, `add` removes the rest

    # live model --------------------------------------------------------------------------------------

    def live(self) -> str:
        """Return the name of the live model, by default `shipped`."""
        return self.standing()[0]

    def standing(self) -> list[str]:
        """Return the live model, then the targets of further rollbacks. Cheap."""
        with self._reading() as connection:
            return _standing(connection)

    def history(self) -> list[Promotion]:
        """Return all promotions, rollbacks and fallbacks, newest first."""
        with self._reading() as connection:
            rows = connection.execute(f"SELECT {_PROMOTION} FROM promotions ORDER BY sequence DESC")
            return [Promotion(*row) for row in rows]

    def objection(self, name: str) -> str:
        """Return why `promote` refuses this model unless overridden; '' if it does not. Raises RegistryError."""
        with self._reading() as connection:
            return self._objection(connection, name)

    def promote(self, name: str, who: str, why: str, *, override: bool = False) -> Promotion:
        """Make a model live, if its files are unchanged and the rule for going live has no objection.

        override: promote regardless of an objection. Raises RegistryError.
        """
        with self._writing() as connection:
            live = _standing(connection)[0]
            if name == live:
                raise RegistryError(f"{name} is live already")
            verdict = None
            if name != SHIPPED:
                self._expect_ranker(connection, name)
                verdict = self.verdict(name)
            if not override and (against := self._objection(connection, name)):
                raise RegistryError(against)
            return _note(connection, "promote", name, live, who, why, verdict.verdict if verdict else "")

    def rollback(self, who: str, why: str) -> Promotion:
        """Make the previously live model live; each further rollback goes one step further back.

        Models with missing or changed files are skipped. Raises RegistryError if none is left.
        """
        with self._writing() as connection:
            live, *_ = _standing(connection)
            target = self._rollback_target(connection)
            if target is None:
                raise RegistryError(f"nothing to go back to: {live} is live, and no earlier model is intact")
            return _note(connection, "rollback", target, live, who, why)

    def rollback_target(self) -> str | None:
        """Return the model that a rollback would make live, or None if no earlier model is intact."""
        with self._reading() as connection:
            return self._rollback_target(connection)

    @property
    def promotes_by_itself(self) -> bool:
        """Return whether a model that passes the gate is promoted automatically; by default False."""
        with self._reading() as connection:
            row = connection.execute("SELECT is_on FROM switches WHERE name = ?", (_AUTO_PROMOTE,)).fetchone()
        return bool(row and row[0])

    def set_promotes_by_itself(self, is_on: bool) -> None:
        """Switch automatic promotion on or off."""
        with self._writing() as connection:
            connection.execute("INSERT OR REPLACE INTO switches VALUES (?, ?)", (_AUTO_PROMOTE, is_on))

    def note_fallback(self, model: str, used_instead: str, why: str) -> None:
        """Record in the history that a model failed, once per model and reason until the live model changes."""
        with self._writing() as connection:
            known = (
                "SELECT 1 FROM promotions WHERE action = 'fallback' AND previous = ? AND why = ? AND sequence >"
                " (SELECT COALESCE(MAX(sequence), 0) FROM promotions WHERE action <> 'fallback')"
            )
            if not connection.execute(known, (model, why)).fetchone():
                _note(connection, "fallback", used_instead, model, "", why)

    # trial -------------------------------------------------------------------------------------------

    def trial(self) -> Trial | None:
        """Return the trial that goes on, or None. Cheap. It pauses while another model is live."""
        with self._reading() as connection:
            return _trial(connection)

    def start_trial(self, name: str, who: str) -> Trial:
        """Put a model on trial against the live one. Raises RegistryError if it cannot rank, or one is on trial."""
        with self._writing() as connection:
            live = _standing(connection)[0]
            if name == live:
                raise RegistryError(f"{name} is live; put another model on trial")
            if trial := _trial(connection):
                raise RegistryError(f"{trial.model} is on trial; stop that trial first")
            self._expect_ranker(connection, name)
            trial = Trial(name, live, now(), who)
            connection.execute(f"INSERT INTO trials ({_TRIAL}) VALUES (?, ?, ?, ?)", astuple(trial))
            return trial

    def end_trial(self, outcome: TrialOutcome) -> None:
        """End the trial that goes on. Raises RegistryError if there is none."""
        with self._writing() as connection:
            if _trial(connection) is None:
                raise RegistryError("no model is on trial")
            last = "(SELECT MAX(sequence) FROM trials)"
            connection.execute(f"UPDATE trials SET outcome = ? WHERE sequence = {last}", (outcome,))

    # internals ---------------------------------------------------------------------------------------

    def _objection(self, connection: sqlite3.Connection, name: str) -> str:
        if name == SHIPPED:
            return ""
        _model(connection, name)  # report a mistyped name first
        live = _standing(connection)[0]
        past = connection.execute(
            "SELECT outcome FROM trials WHERE model = ? AND live = ? ORDER BY sequence DESC", (name, live)
        ).fetchone()
        return objection(name, self.verdict(name), live, past[0] if past else "")

    def _expect_ranker(self, connection: sqlite3.Connection, name: str) -> None:
        kind = _model(connection, name).kind
        if kind not in RERANKER_KINDS:
            raise RegistryError(f"{name} is of kind {kind}; only {' or '.join(RERANKER_KINDS)} can rank")
        self._check(connection, name)

    def _check(self, connection: sqlite3.Connection, name: str) -> None:
        model = _model(connection, name)
        (files,) = connection.execute("SELECT files FROM models WHERE name = ?", (name,)).fetchone()
        check_files(self.folder(name), model.fingerprint, json.loads(files))

    def _rollback_target(self, connection: sqlite3.Connection) -> str | None:
        for name in _standing(connection)[1:]:
            try:
                if name != SHIPPED:
                    self._check(connection, name)
            except RegistryError:
                continue
            return name
        return None

    def _remove_strays(self, connection: sqlite3.Connection) -> None:
        """Delete folders without a row; unfinished ones are hidden and stay."""
        known = {name for (name,) in connection.execute("SELECT name FROM models WHERE removed_at IS NULL")}
        for folder in self.models_folder.glob("[!.]*/"):
            if folder.name not in known:
                shutil.rmtree(folder)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        path = self._path if self._path.exists() else Path(":memory:")
        with self._connection(path) as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Open a transaction that excludes other writers, including their moves of folders."""
        make_home(self._path.parent)
        with self._connection(self._path) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection

    @contextmanager
    def _connection(self, path: Path) -> Iterator[sqlite3.Connection]:
        try:
            with transaction(path) as connection:
                for statement in _SCHEMA:
                    connection.execute(statement)
                yield connection
        except (sqlite3.DatabaseError, OSError) as error:
            raise RegistryError(
                f"the models in {self._path} cannot be used: {error}; check free space and permissions"
            ) from error


def _standing(connection: sqlite3.Connection) -> list[str]:
    """Return the stack of live models, newest first, each once, without those that a rollback undid."""
    stack = [SHIPPED]
    rows = connection.execute("SELECT action, model FROM promotions WHERE action != 'fallback' ORDER BY sequence")
    for action, model in rows:
        if action == "rollback":
            stack.pop()
            while stack[-1] != model:
                stack.pop()
        else:
            stack.append(model)
    existing = {SHIPPED, *(name for (name,) in connection.execute("SELECT name FROM models WHERE removed_at IS NULL"))}
    return [name for name in dict.fromkeys(reversed(stack)) if name in existing]


def _trial(connection: sqlite3.Connection) -> Trial | None:
    """Return the last trial, if it has no outcome yet and its opponent is still live."""
    row = connection.execute(f"SELECT {_TRIAL}, outcome FROM trials ORDER BY sequence DESC").fetchone()
    trial = Trial(*row[:-1]) if row and not row[-1] else None
    return trial if trial and trial.live == _standing(connection)[0] else None


def _model(connection: sqlite3.Connection, name: str) -> TrainedModel:
    where = "WHERE removed_at IS NULL"
    row = connection.execute(f"SELECT {_MODEL} FROM models {where} AND name = ?", (name,)).fetchone()
    if row:
        return TrainedModel(*row)
    known = [known for (known,) in connection.execute(f"SELECT name FROM models {where} ORDER BY rowid")]
    raise RegistryError(f"no model {name!r}; known: {', '.join(known) or 'none yet'}")


def _next_name(connection: sqlite3.Connection) -> str:
    names = [re.fullmatch(r"reranker-(\d+)", name) for (name,) in connection.execute("SELECT name FROM models")]
    return f"reranker-{1 + max((int(match[1]) for match in names if match), default=0)}"


def _expect_free(connection: sqlite3.Connection, name: str) -> None:
    if not _NAME.fullmatch(name) or name in _TAKEN:
        raise RegistryError(
            f"{name!r} is not a valid model name: expected lower-case letters, digits, dots and dashes, "
            f"and none of {', '.join(_TAKEN)}"
        )
    if connection.execute("SELECT 1 FROM models WHERE name = ?", (name,)).fetchone():
        raise RegistryError(f"the name {name} has been used; the next free name is {_next_name(connection)}")


def _insert(connection: sqlite3.Connection, model: TrainedModel, folder: Path) -> None:
    files = json.dumps(other_files(folder))
    connection.execute(
        f"INSERT INTO models ({_MODEL}, files) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*astuple(model), files)
    )


def _note(
    connection: sqlite3.Connection, action: Action, model: str, previous: str, who: str, why: str, verdict: str = ""
) -> Promotion:
    row: tuple[Any, ...] = connection.execute(
        "INSERT INTO promotions (at, who, model, previous, action, why, verdict) VALUES (?, ?, ?, ?, ?, ?, ?)"
        f" RETURNING {_PROMOTION}",
        (now(), who, model, previous, action, why, verdict),
    ).fetchone()
    return Promotion(*row)
