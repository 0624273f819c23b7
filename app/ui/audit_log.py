"""The audit log on the Settings page: who changed what, when and from where."""

from __future__ import annotations

import json
from dataclasses import asdict

import pandas as pd
import streamlit as st

from app.access.audit import AuditEntry, AuditLog
from app.access.users import shown_name
from app.settings import read_settings
from app.translation import gettext as _
from app.ui.cells import as_text

_NUM_SHOWN = 200


def show_audit_log() -> None:
    """Show the newest changes, with a download of all."""
    st.header(_("Audit log"), anchor=False)
    log = AuditLog(read_settings().home)
    entries = log.entries(_NUM_SHOWN)
    if not entries:
        st.caption(_("No changes yet."))
        return
    table = pd.DataFrame(
        {
            _("When"): pd.to_datetime([entry.at for entry in entries], utc=True),
            _("Who"): [shown_name(entry.user) for entry in entries],
            _("What"): [entry.act for entry in entries],
            _("Which"): [_subject(entry) for entry in entries],
            _("From"): [entry.address or _("this machine") for entry in entries],
        }
    )
    st.dataframe(
        as_text(table, _("Who"), _("Which")),
        hide_index=True,
        column_config={
            _("When"): st.column_config.DatetimeColumn(format=_("D MMM YYYY, HH:mm"), timezone=st.context.timezone)
        },
        alt=_("Changes with time, person and address, newest first"),
    )
    st.download_button(
        _("Download audit log (.json)"),
        data=lambda: json.dumps([asdict(entry) for entry in log.entries()], ensure_ascii=False),  # called on click
        file_name="citeloop-audit-log.json",
        mime="application/json",
        on_click="ignore",
        icon=":material/download:",
    )


def _subject(entry: AuditEntry) -> str:
    """Return what was changed; of votes, whose."""
    return shown_name(entry.subject) if entry.act.startswith("votes ") else entry.subject
