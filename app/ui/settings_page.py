"""Settings: the language model with a connection test, its instructions, rerankers to download, the audit log."""

from __future__ import annotations

from functools import partial

import streamlit as st
from pydantic import SecretStr

from app.answer import ABSTENTION
from app.answer.prompts import Prompts, read_prompts, save_prompts
from app.language_model.endpoint import (
    OPENAI_URL,
    Endpoint,
    EndpointError,
    clear_endpoint,
    read_endpoint,
    save_endpoint,
    with_kept_key,
)
from app.settings import DEFAULT_CONTEXT_TOKENS, MIN_CONTEXT_TOKENS, Settings, read_settings
from app.translation import N_, ngettext
from app.translation import gettext as _
from app.ui import markup
from app.ui.audit_log import show_audit_log
from app.ui.messages import attempt, show_messages, tell, try_to
from app.ui.readers_language import in_readers_language
from app.ui.settings_models import show_models
from app.ui.who import act_as
from ingest import CiteloopError

_PRESETS = {
    "OpenAI": OPENAI_URL,
    "Azure": "https://YOUR-RESOURCE.openai.azure.com/openai/v1",
    "Ollama": "http://localhost:11434/v1",
    "vLLM": "http://localhost:8000/v1",
    "llama.cpp": "http://localhost:8080/v1",
    "LM Studio": "http://localhost:1234/v1",
}
_OTHER = N_("Other")
_MAX_CONTEXT_TOKENS = 10_000_000
_PRESET, _BASE_URL, _MODEL, _KEY, _API_VERSION, _CONTEXT = (
    f"settings-{name}" for name in ("preset", "base-url", "model", "key", "api-version", "context")
)
_JUST_SAVED = "settings-just-saved"
"""Session key: try the connection once, since an address that answers nothing can be saved."""


def show() -> None:
    """The page."""
    st.title(_("Settings"), anchor=False)
    show_messages()
    settings = read_settings()
    _show_language_model(settings)
    _show_instructions(settings)
    _show_votes(settings)
    show_models(settings)
    show_audit_log()


def _show_votes(settings: Settings) -> None:
    st.header(_("Votes"), anchor=False)
    sentences = [
        _("A source that you strike out disappears from your answers at once."),
        ngettext(
            "It disappears from everybody's answers, too.",
            "It disappears from other people's answers when {n} people or a curator agree.",
            settings.min_agreeing,
        ),
        _("To change the number, set CITELOOP_MIN_AGREEING. Without a login, two browsers count as two people."),
    ]
    st.markdown(" ".join(sentences))


# the language model ---------------------------------------------------------------------------------------


def _show_language_model(settings: Settings) -> None:
    st.header(_("Language model"), anchor=False)
    endpoint, is_saved = None, True
    try:
        endpoint = read_endpoint(settings)
        is_saved = endpoint is not None and endpoint.saved
        st.markdown(_status(endpoint))
    except EndpointError as error:
        st.error(markup.plain(in_readers_language(str(error))), icon=":material/error:")
    if settings.lock_settings:
        st.info(_("These settings are locked. To unlock them, start Citeloop with CITELOOP_LOCK_SETTINGS=0."))
        return
    _fill(endpoint)
    _show_form(settings, endpoint)
    if is_saved:
        label = _("Use environment variables") if settings.writes_answers else _("Use no language model")
        with st.popover(label, icon=":material/undo:"):
            st.markdown(_("Deletes the settings and the key saved here."))
            st.button(_("Delete settings and key"), type="primary", on_click=_clear)


def _status(endpoint: Endpoint | None) -> str:
    """Return the current language model, as Markdown."""
    if endpoint is None:
        return _("No language model: answers are quoted from the documents.")
    origin = _("saved on this page") if endpoint.saved else _("set by environment variables")
    return _(
        "**{model}** at `{where}` writes the answers ({origin}, {with_key}). It receives the question, the earlier "
        "questions and the passages it may cite.",
        model=markup.plain(endpoint.model),
        where=endpoint.where,
        origin=origin,
        with_key=_with_key(endpoint),
    )


def _with_key(endpoint: Endpoint) -> str:
    return _("with a key") if endpoint.key else _("without a key")


def _fill(endpoint: Endpoint | None) -> None:
    """Fill the form with the current settings, without the key, which never returns to the browser."""
    base_url = endpoint.where if endpoint else OPENAI_URL
    st.session_state.setdefault(_PRESET, _preset_of(base_url))
    st.session_state.setdefault(_BASE_URL, base_url)
    st.session_state.setdefault(_MODEL, endpoint.model if endpoint else "")
    st.session_state.setdefault(_API_VERSION, endpoint.api_version if endpoint else "")
    context_tokens = endpoint.context_tokens if endpoint else DEFAULT_CONTEXT_TOKENS
    st.session_state.setdefault(_CONTEXT, min(max(context_tokens, MIN_CONTEXT_TOKENS), _MAX_CONTEXT_TOKENS))


def _preset_of(base_url: str) -> str:
    return next((name for name, url in _PRESETS.items() if url == base_url), _OTHER)


def _take_preset() -> None:
    st.session_state[_BASE_URL] = _PRESETS.get(st.session_state[_PRESET], "")


def _show_form(settings: Settings, endpoint: Endpoint | None) -> None:
    st.selectbox(_("Service"), [*_PRESETS, _OTHER], key=_PRESET, format_func=_, on_change=_take_preset)
    with st.form("settings-endpoint"):
        _show_fields(has_key=endpoint is not None and endpoint.saved and bool(endpoint.key))
        with st.container(horizontal=True):
            st.form_submit_button(_("Save"), type="primary", icon=":material/save:", on_click=_save)
            tests = st.form_submit_button(_("Test connection"), icon=":material/network_check:")
    if tests or st.session_state.pop(_JUST_SAVED, False):
        _show_test(with_kept_key(settings.home, _typed()))


def _show_fields(*, has_key: bool) -> None:
    """Show the fields of the form. has_key: whether a key is saved."""
    st.text_input(_("Base URL"), key=_BASE_URL, max_chars=500, help=_("Usually ends in /v1."))
    st.text_input(
        _("Model"),
        key=_MODEL,
        max_chars=200,
        placeholder=_("Name of the model at the service"),
        help=_("For Azure, the deployment name. Test connection lists available models."),
    )
    st.text_input(
        _("Key"),
        key=_KEY,
        type="password",
        autocomplete="off",
        max_chars=1000,
        placeholder=_("Saved; leave empty to keep it") if has_key else _("Not needed for local servers"),
        help=_(
            "Stored in a file that only the owner of this installation can read, and sent only to this base URL. "
            "Keys in environment variables are not used here."
        ),
    )
    left, right = st.columns(2)
    left.number_input(
        _("Context size in tokens"),
        min_value=MIN_CONTEXT_TOKENS,
        max_value=_MAX_CONTEXT_TOKENS,
        step=1024,
        key=_CONTEXT,
        help=_("Limit for reading and writing at once; passages that do not fit are left out."),
    )
    right.text_input(
        _("API version"),
        key=_API_VERSION,
        max_chars=50,
        help=_("For older Azure addresses only, such as 2024-10-21."),
    )


def _typed() -> Endpoint:
    """Return the endpoint in the form."""
    typed = st.session_state
    key = typed[_KEY].strip()
    return Endpoint(
        base_url=typed[_BASE_URL].strip(),
        model=typed[_MODEL].strip(),
        api_key=SecretStr(key) if key else None,
        api_version=typed[_API_VERSION].strip(),
        context_tokens=int(typed[_CONTEXT]),
        saved=True,  # keeps keys of the environment out
    )


def _save() -> None:
    home = read_settings().home
    endpoint = with_kept_key(home, _typed())
    act = partial(save_endpoint, home, endpoint)
    if try_to(lambda: act_as("admin", "language model changed", act, f"{endpoint.model} at {endpoint.where}")):
        st.session_state[_KEY] = ""
        st.session_state[_JUST_SAVED] = True
        st.session_state[_PRESET] = _preset_of(endpoint.where)
        tell(
            "success",
            _(
                "Saved: {model} at {where} writes the answers, {with_key}.",
                model=endpoint.model,
                where=endpoint.where,
                with_key=_with_key(endpoint),
            ),
        )


def _show_test(endpoint: Endpoint) -> None:
    from app.language_model.connection import try_connection  # half a second to import

    with st.spinner(_("Testing the connection")):
        report = try_connection(endpoint)
    box = st.success if report.works else st.error
    box(markup.plain(in_readers_language(report.message)))
    if report.models:
        with st.expander(_("Available models ({n})", n=len(report.models))):
            st.markdown("\n".join(f"- {markup.plain(name)}" for name in report.models[:200]))


def _clear() -> None:
    act = partial(clear_endpoint, read_settings().home)
    if try_to(lambda: act_as("admin", "language model settings removed", act)):
        for name in (_PRESET, _BASE_URL, _MODEL, _KEY, _API_VERSION, _CONTEXT):
            st.session_state.pop(name, None)
        tell("success", _("Deleted the settings and the key saved here."))


# the instructions -----------------------------------------------------------------------------------------


def _show_instructions(settings: Settings) -> None:
    st.header(_("Instructions"), anchor=False)
    st.markdown(_("Instructions for the language model to answer, to rewrite follow-ups and to propose questions."))
    prompts = Prompts()
    try:
        prompts = read_prompts(settings.home)
    except CiteloopError as error:
        st.error(markup.plain(str(error)), icon=":material/error:")
    if settings.lock_settings:
        st.code(prompts.answer, language=None, wrap_lines=True)
        st.code(prompts.follow_up, language=None, wrap_lines=True)
        st.code(prompts.proposal, language=None, wrap_lines=True)
        return
    default = Prompts()
    with st.form("settings-instructions"):
        answer = _text_area(_("For answers"), prompts.answer, default.answer, 230)
        follow_up = _text_area(_("For follow-up questions"), prompts.follow_up, default.follow_up, 160)
        proposal = _text_area(_("For proposed questions"), prompts.proposal, default.proposal, 160)
        saved = st.form_submit_button(_("Save instructions"))
    show_messages("instructions")  # above the popover, which stays open
    with st.popover(_("Restore defaults"), icon=":material/undo:"):
        st.markdown(_("Replaces all three instructions with the ones that come with Citeloop."))
        reset = st.button(_("Replace instructions"), type="primary")
    if saved or reset:
        wanted = default if reset else Prompts(answer, follow_up, proposal)
        act = partial(save_prompts, settings.home, wanted)
        done = _("Restored. Used from the next question on.") if reset else _("Saved. Used from the next question on.")
        attempt(lambda: act_as("admin", "instructions changed", act), done, "instructions")


def _text_area(label: str, text: str, default: str, height: int) -> str:
    """Show instructions to edit and return them; the default is shown without line breaks, except after ABSTENTION."""
    paragraph = " ".join(default.split()).replace(f"{ABSTENTION} ", f"{ABSTENTION}\n")
    typed = st.text_area(label, paragraph if text == default else text, height=height)
    return default if typed == paragraph else typed
