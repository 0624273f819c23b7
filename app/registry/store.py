"""Registry: the models' rows, history and folders."""

from __future__ import annotations

import json
import shutil
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict
from pathlib import Path

from sqlalchemy import Connection, func, insert, select, update

from app.registry.entries import (
    RERANKER_KINDS,
    SHIPPED,
    Promotion,
    RegistryError,
    TrainedModel,
    Trial,
    TrialOutcome,
    Verdict,
)
from app.registry.files import check_files, fingerprint, flush, other_files, read_verdict
from app.registry.going_live import objection
from app.registry.names import expect_free, free_name, next_name, remove_strays
from app.registry.rows import MODELS, expect_standing, last_outcome, model_of, record_change, standing_models, trial_now
from ingest.home.database import now
from ingest.home.folder import flush_entries
from ingest.home.records import Records, put, unusable
from ingest.home.sharing import expect_writer
from ingest.home.tables import MADE, models, promotions, switches, trials
from ingest.home.whole_folders import unfinished_folder

_AUTO_PROMOTE = "promotes by itself"


class Registry:
    """The models of one home folder; every method is one transaction that survives a crash.

    Reading creates no files. Every method raises RegistryError when the file is damaged or the disk is full.
    """

    def __init__(self, home: Path) -> None:
        self.models_folder = home / "models"
        self._records = Records(home, MADE, unusable(RegistryError, "the models"))

    def folder(self, name: str) -> Path:
        """Return the folder of the model with this name."""
        return self.models_folder / name

    # models ------------------------------------------------------------------------------------------

    def models(self) -> list[TrainedModel]:
        """Return all models, newest first."""
        with self._records.reading() as connection:
            return [TrainedModel(*row) for row in connection.execute(MODELS.order_by(models.c.sequence.desc()))]

    def model(self, name: str) -> TrainedModel:
        """Return the model with this name. Raises RegistryError, with the known names."""
        with self._records.reading() as connection:
            return model_of(connection, name)

    def check(self, name: str) -> None:
        """Check every file of a model, except the shipped one.

        Raises RegistryError when a file is missing or has changed since registration.
        """
        if name != SHIPPED:
            with self._records.reading() as connection:
                self._check(connection, name)

    def verdict(self, name: str) -> Verdict | None:
        """Return the gate's verdict on a model, or None if there is none. Raises RegistryError if it is damaged."""
        return read_verdict(self.folder(name))

    def downloaded(self, hub_id: str) -> str | None:
        """Return the name of the newest model that was downloaded under this id, None if there is none."""
        return next((model.name for model in self.models() if model.base.startswith(f"{hub_id}@")), None)

    def free_name(self, wanted: str) -> str:
        """Return a name that was never used: the wanted one, or with -2, -3 and so on."""
        with self._records.reading() as connection:
            return free_name(connection, self.models_folder, wanted)

    def new_name(self) -> str:
        """Return the next free name: reranker-1, reranker-2 and so on."""
        with self._records.reading() as connection:
            return next_name(connection, self.models_folder)

    def unfinished(self) -> AbstractContextManager[Path]:
        """Open a new hidden folder to make a model in; it is deleted afterwards unless `add` has moved it.

        Raises SharingError where another server makes the models.
        """
        expect_writer(self.models_folder.parent)
        return unfinished_folder(self.models_folder)

    def add(
        self, unfinished: Path, name: str | None = None, *, kind: str, base: str, job_id: str = "", note: str = ""
    ) -> TrainedModel:
        """Register a folder from `unfinished` as a model: move it to its final place and add its row.

        name: None takes the next free one. A crash leaves a folder without a row, which the next call removes. Raises
        RegistryError when the name is taken.
        """
        flush(unfinished)
        mark, files = fingerprint(unfinished), json.dumps(other_files(unfinished))
        with self._records.writing() as connection:
            remove_strays(connection, self.models_folder)
            name = name or next_name(connection, self.models_folder)
            expect_free(connection, self.models_folder, name)
            model = TrainedModel(name, kind, base, now(), mark, job_id, note)
            self.models_folder.mkdir(exist_ok=True)
            unfinished.rename(self.folder(name))
            flush_entries(self.models_folder)
            connection.execute(insert(models), {**asdict(model), "files": files})
        return model

    def remove(self, name: str) -> None:
        """Delete a model. Raises RegistryError for the live one, the target of a rollback and one on trial."""
        standing, target = self._intact()
        with self._records.writing() as connection:
            model_of(connection, name)
            expect_standing(connection, standing)
            if name == standing[0]:
                raise RegistryError(f"{name} is live; promote another one first, or roll back")
            if name == target:
                raise RegistryError(f"{name} is the target of a rollback; promote another one first")
            if (trial := trial_now(connection)) and trial.model == name:
                raise RegistryError(f"{name} is on trial; stop the trial first")
            connection.execute(update(models).where(models.c.name == name).values(removed_at=now()))
        shutil.rmtree(self.folder(name), ignore_errors=True)  # after a failure, `add` removes the rest

    # live model --------------------------------------------------------------------------------------

    def live(self) -> str:
        """Return the name of the live model, by default `shipped`."""
        return self.standing()[0]

    def standing(self) -> list[str]:
        """Return the live model, then the targets of further rollbacks. Cheap."""
        with self._records.reading() as connection:
            return standing_models(connection)

    def history(self) -> list[Promotion]:
        """Return all promotions, rollbacks and fallbacks, newest first."""
        with self._records.reading() as connection:
            rows = connection.execute(select(promotions).order_by(promotions.c.sequence.desc()))
            return [Promotion(**row) for row in rows.mappings()]

    def objection(self, name: str) -> str:
        """Return why `promote` refuses this model unless overridden; '' if it does not. Raises RegistryError."""
        with self._records.reading() as connection:
            return self._objection(connection, name)

    def promote(self, name: str, who: str, why: str, *, override: bool = False) -> Promotion:
        """Make a model live, if its files are unchanged and the rule for going live has no objection.

        override: promote regardless of an objection. Raises RegistryError.
        """
        self._expect_ranker(name)
        with self._records.writing() as connection:
            live = standing_models(connection)[0]
            if name == live:
                raise RegistryError(f"{name} is live already")
            verdict = None if name == SHIPPED else self.verdict(model_of(connection, name).name)
            if not override and (against := self._objection(connection, name)):
                raise RegistryError(against)
            return record_change(connection, "promote", name, live, who, why, verdict.verdict if verdict else "")

    def rollback(self, who: str, why: str) -> Promotion:
        """Make the previously live model live; each further rollback goes one step further back.

        Models with missing or changed files are skipped. Raises RegistryError if none is left.
        """
        standing, target = self._intact()
        if target is None:
            raise RegistryError(f"nothing to go back to: {standing[0]} is live, and no earlier model is intact")
        with self._records.writing() as connection:
            expect_standing(connection, standing)
            return record_change(connection, "rollback", target, standing[0], who, why)

    def rollback_target(self) -> str | None:
        """Return the model that a rollback would make live, or None if no earlier model is intact."""
        return self._intact()[1]

    @property
    def promotes_by_itself(self) -> bool:
        """Return whether a model that passes the gate is promoted automatically; by default False."""
        with self._records.reading() as connection:
            return bool(connection.scalar(select(switches.c.is_on).where(switches.c.name == _AUTO_PROMOTE)))

    def set_promotes_by_itself(self, is_on: bool) -> None:
        """Switch automatic promotion on or off."""
        with self._records.writing() as connection:
            put(connection, switches, [{"name": _AUTO_PROMOTE, "is_on": is_on}], "name")

    def note_fallback(self, model: str, used_instead: str, why: str) -> None:
        """Record in the history that a model failed, once per model and reason until the live model changes."""
        with self._records.writing() as connection:
            change = select(func.coalesce(func.max(promotions.c.sequence), 0)).where(promotions.c.action != "fallback")
            same = (promotions.c.action == "fallback", promotions.c.previous == model, promotions.c.why == why)
            known = select(promotions).where(*same, promotions.c.sequence > change.scalar_subquery())
            if not connection.execute(known).first():
                record_change(connection, "fallback", used_instead, model, "", why)

    # trial -------------------------------------------------------------------------------------------

    def trial(self) -> Trial | None:
        """Return the trial that goes on, or None. Cheap. It pauses while another model is live."""
        with self._records.reading() as connection:
            return trial_now(connection)

    def start_trial(self, name: str, who: str) -> Trial:
        """Put a model on trial against the live one. Raises RegistryError if it cannot rank, or one is on trial."""
        self._expect_ranker(name)
        with self._records.writing() as connection:
            live = standing_models(connection)[0]
            if name == live:
                raise RegistryError(f"{name} is live; put another model on trial")
            model_of(connection, name)
            if trial := trial_now(connection):
                raise RegistryError(f"{trial.model} is on trial; stop that trial first")
            trial = Trial(name, live, now(), who)
            connection.execute(insert(trials), asdict(trial))
            return trial

    def end_trial(self, trial: Trial, outcome: TrialOutcome) -> bool:
        """End a trial; return whether it still went on."""
        with self._records.writing() as connection:
            goes_on = trial_now(connection) == trial
            if goes_on:
                last = select(func.max(trials.c.sequence)).scalar_subquery()
                connection.execute(update(trials).where(trials.c.sequence == last).values(outcome=outcome))
            return goes_on

    def trial_outcome(self, name: str) -> TrialOutcome:
        """Return how this model's last trial against the live one ended; '' if it goes on or there was none."""
        with self._records.reading() as connection:
            return last_outcome(connection, name)

    # internals ---------------------------------------------------------------------------------------

    def _objection(self, connection: Connection, name: str) -> str:
        if name == SHIPPED:
            return ""
        model_of(connection, name)  # report a mistyped name first
        live = standing_models(connection)[0]
        return objection(name, self.verdict(name), live, last_outcome(connection, name))

    def _expect_ranker(self, name: str) -> None:
        """Check a model, before the transaction that puts it to use: its files may take seconds to read."""
        if name == SHIPPED:
            return
        with self._records.reading() as connection:
            kind = model_of(connection, name).kind
            if kind not in RERANKER_KINDS:
                raise RegistryError(f"{name} is of kind {kind}; only {' or '.join(RERANKER_KINDS)} can rank")
            self._check(connection, name)

    def _check(self, connection: Connection, name: str) -> None:
        model = model_of(connection, name)
        files = connection.scalar(select(models.c.files).where(models.c.name == name))
        check_files(self.folder(name), model.fingerprint, json.loads(files or "{}"))

    def _intact(self) -> tuple[list[str], str | None]:
        """Return the stack of live models, and the one that a rollback would make live."""
        with self._records.reading() as connection:
            standing = standing_models(connection)
            for name in standing[1:]:
                with suppress(RegistryError):
                    if name != SHIPPED:
                        self._check(connection, name)
                    return standing, name
            return standing, None
