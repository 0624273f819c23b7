"""Which documents replace which, and the form to correct it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app.search.corrections import CorrectionStore
from app.search.families import Families
from app.search.versions import Version
from app.translation import gettext as _
from app.ui import markup
from app.ui.messages import attempt
from app.ui.resources import current_user, pipeline, readable
from app.ui.who import act_as
from ingest.listing import StoredDocument


def show_families() -> None:
    """List the families, each on a line."""
    if families := pipeline().families_for(readable()).all():
        with st.expander(_("Versions of the same document ({n})", n=len(families))):
            st.markdown("\n".join(f"- {_line(family)}" for family in families))
            st.caption(_("Answers use the newest. Select a document in the table to correct its versions."))


def show_correction(document: StoredDocument) -> None:
    """Show what a document is a version of, with a form to correct it."""
    families = pipeline().families_for(readable())
    family = families.family(document.id)
    with st.popover(_("Versions"), icon=":material/history:"):
        st.markdown(_line(family) if family else _("No other version of it was found."))
        _show_newer(document, families)
        if family:
            names = _told_apart(family, [each.full_name for each in family])
            others = ", ".join(name for name, each in zip(names, family, strict=True) if each.id != document.id)
            if st.button(_("Not a version of {others}", others=markup.plain(others))):
                _correct(document, lambda: _store().separate(document.id, [each.id for each in family], current_user()))
        corrected = _store().others(document.id) & families.versions.keys()  # those that the user may read
        if corrected and st.button(_("Remove corrections")):
            _correct(document, lambda: _store().forget(document.id, corrected))


def _show_newer(document: StoredDocument, families: Families) -> None:
    names = {id: version.name for id, version in families.versions.items() if id != document.id}
    newer = st.selectbox(
        _("Replaced by"), sorted(names, key=names.__getitem__), index=None, format_func=names.__getitem__, key="newer"
    )
    if st.button(_("Save version"), disabled=newer is None) and newer:
        _correct(document, lambda: _store().replaced_by(document.id, newer, current_user()))


def _store() -> CorrectionStore:
    return CorrectionStore(pipeline().settings.home)


def _correct(document: StoredDocument, act: Callable[[], None]) -> None:
    attempt(
        lambda: act_as("curator", "versions corrected", act, document.name),
        _("Saved. Used from the next question on."),
        "table",
    )


def _line(family: list[Version]) -> str:
    newest = family[0]
    newest_label, *older = _told_apart(family, [_name(each, newest) for each in family])
    labels = [_("{label} (newest)", label=newest_label), *older]
    return f"**{markup.plain(newest.title)}**: {markup.plain(', '.join(labels))}"


def _name(version: Version, newest: Version) -> str:
    return version.label if version.subject == newest.subject else version.full_name


def _told_apart(family: list[Version], names: list[str]) -> list[str]:
    """Return the names; those that several versions have, with the name of the document."""
    return [
        f"{name} ({each.name})" if names.count(name) > 1 else name for name, each in zip(names, family, strict=True)
    ]
