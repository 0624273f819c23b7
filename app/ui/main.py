"""Page settings, login and navigation: the file that streamlit runs."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app.access.policy import AccessError
from app.translation import follow
from app.translation import gettext as _
from app.ui import markup, settings_page
from app.ui.ask import page as ask_page
from app.ui.documents import page as documents_page
from app.ui.feedback import page as feedback_page
from app.ui.language import page_language
from app.ui.login import show_login, show_missing_page, show_refusal, show_visitor
from app.ui.quality import page as quality_page
from app.ui.readers_language import in_readers_language
from app.ui.resources import take_over_earlier_rows
from app.ui.sidebar import close_once_chosen
from app.ui.source import page as source_page
from app.ui.style import ENTER_POPOVER, FOLLOW_DIRECTION, STYLE, skip_link_words, upload_words
from app.ui.training import page as training_page
from app.ui.who import NotLoggedInError, current_rights
from ingest import CiteloopError

follow(page_language)
# Before the navigation: else the tab gets the page's icon, which Streamlit loads from another site.
st.set_page_config(page_title="Citeloop", page_icon=str(Path(__file__).with_name("icon.png")))

FOR_READERS = [
    st.Page(ask_page.show, title=_("Ask"), icon=":material/chat:", url_path="ask", default=True),
    st.Page(source_page.show, title=_("Source"), url_path="source", visibility="hidden"),
]
FOR_CURATORS = [
    st.Page(documents_page.show, title=_("Documents"), icon=":material/folder:", url_path="documents"),
    st.Page(feedback_page.show, title=_("Feedback"), icon=":material/thumb_down:", url_path="feedback"),
    st.Page(training_page.show, title=_("Training"), icon=":material/school:", url_path="training"),
    st.Page(quality_page.show, title=_("Quality"), icon=":material/bar_chart:", url_path="quality"),
]
FOR_ADMINS = [st.Page(settings_page.show, title=_("Settings"), icon=":material/settings:", url_path="settings")]

st.html(f"<style>{STYLE}{upload_words()}</style>")
with st.container(key="language"):
    # With another language, browsers would offer to translate the page, and read it aloud as English.
    script = (
        f"document.documentElement.lang = '{page_language()}'; {FOLLOW_DIRECTION} {ENTER_POPOVER} {skip_link_words()}"
    )
    st.html(f"<script>{script}</script>", unsafe_allow_javascript=True)
try:
    rights = current_rights()
except AccessError as error:
    st.navigation([*FOR_READERS, *FOR_CURATORS, *FOR_ADMINS], position="hidden")  # known addresses; none is shown
    if isinstance(error, NotLoggedInError):
        show_login()
    else:
        show_refusal(str(error))
    st.stop()

for_role = [
    *FOR_READERS,
    *(FOR_CURATORS if rights.may_act_as("curator") else []),
    *(FOR_ADMINS if rights.may_act_as("admin") else []),
]
missing = [  # else Streamlit tells of them in English, and Ask opens behind
    st.Page(show_missing_page, title=_("Page not found"), url_path=each.url_path, visibility="hidden")
    for each in (*FOR_CURATORS, *FOR_ADMINS)
    if each not in for_role
]
page = st.navigation([*for_role, *missing], position="top")
st.set_page_config(layout="centered" if page.url_path in ("", "settings") else "wide")  # tables need the width
show_visitor(rights)
close_once_chosen()
try:
    take_over_earlier_rows()
    page.run()
except CiteloopError as error:  # its message is for the person who reads it
    st.error(markup.plain(in_readers_language(str(error))), icon=":material/error:")
