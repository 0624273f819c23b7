"""The live model and why it is live; all models with promote, roll back and remove; the history."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import takewhile

import streamlit as st

from app.feedback.deletion_rates import DeletionRate, DeletionRates, deletion_rates_of
from app.registry import RERANKER_KINDS, SHIPPED, Promotion, RegistryError, TrainedModel
from app.reranking.names import shown_name
from app.settings import read_settings
from app.training.gate.decision import GateReport
from app.translation import N_, ngettext, number
from app.translation import gettext as _
from app.ui import markup
from app.ui.messages import attempt, try_to
from app.ui.resources import current_user, registry
from app.ui.scroll import scroll_here
from app.ui.training.comparison import CHOSEN, VERDICTS, choose_comparison, show_report
from app.ui.training.trial import show_past_trial, trial_button
from app.ui.who import act_as
from app.ui.words import by_person, moment, sentence

_NUM_HISTORY = 50
_KINDS = {
    "late-interaction": N_("compares word by word"),
    "cross-encoder": N_("reads question and passage together"),
    "embedder": N_("finds passages by meaning"),
}

# the live model --------------------------------------------------------------------------------------------


def show_live() -> None:
    """Show the live reranker, since when and why, the strike-out rates and the rollback."""
    live, history = registry().live(), registry().history()
    st.header(_("Live model"), anchor=False)
    source = _("comes with Citeloop") if live == SHIPPED else _("downloaded or trained here")
    st.markdown(f"**{markup.plain(live)}**, {source}")
    st.caption(_since(live, history))
    configured = read_settings().reranker
    if configured != "live":
        st.info(
            _(
                "Answers here use {configured}, set by CITELOOP_RERANKER. Unset it to use the live model.",
                configured=markup.plain(shown_name(configured)),
            ),
            icon=":material/info:",
        )
    since = takewhile(lambda each: each.action == "fallback", history)
    if failed := next((each for each in since if each.previous == live), None):
        words = _("{live} failed, so {model} was used instead: {why}", live=live, model=failed.model, why=failed.why)
        st.error(f"{moment(failed.at)}: {markup.plain(words)}", icon=":material/error:")
    _show_rates()
    if target := registry().rollback_target():
        _show_rollback(live, target)
    st.session_state["promotes-by-itself"] = registry().promotes_by_itself  # another user may have switched it
    st.toggle(
        _("Promote better models automatically"),
        key="promotes-by-itself",
        on_change=_switch,
        help=_("Off: you promote trained models here. On: a better model goes live at once."),
    )


def _since(live: str, history: Sequence[Promotion]) -> str:
    """Return since when, by whom and why, as Markdown."""
    change = next((each for each in history if each.action != "fallback"), None)
    if change is None:
        return _("Live from the start; nothing promoted yet.")
    live_since = (
        N_("Live since {moment}, {by}") if change.action == "promote" else N_("Live again since {moment}, {by}")
    )
    by = markup.plain(by_person(change.who, current_user()))
    why = f": {markup.plain(change.why)}" if change.why else ""
    before = _(". Previously: {name}", name=markup.plain(change.previous)) if change.previous != live else ""
    return f"{_(live_since, moment=moment(change.at), by=by)}{why}{before}"


def _show_rates() -> None:
    rates = deletion_rates_of(read_settings().home)
    if rates and rates.is_rising:
        st.warning(
            _(
                "**People strike out more** since {reranker} is live: {rates}. Chance is unlikely. Check the Feedback "
                "page, or roll back.",
                reranker=markup.plain(rates.after.reranker),
                rates=rate_words(rates),
            ),
            icon=":material/flag:",
        )
    elif rates and rates.after.num_answers:
        st.caption(_("Sources since then: {rates}.", rates=rate_words(rates)))


def rate_words(rates: DeletionRates) -> str:
    """Return the share struck out after the last change and before it, as Markdown."""
    after, before = rates.after, rates.before
    words = _("{share} struck out ({answers})", share=number(after.share, ".0%"), answers=_answers(after))
    if before.num_answers:
        words += _(
            ", with {name} {share} ({answers})",
            name=markup.plain(before.reranker),
            share=number(before.share, ".0%"),
            answers=_answers(before),
        )
    return words


def _answers(rate: DeletionRate) -> str:
    return ngettext("{n} answer", "{n} answers", rate.num_answers)


def _show_rollback(live: str, target: str) -> None:
    with st.popover(_("Roll back"), icon=":material/undo:"), st.form(f"rollback-{live}", border=False):
        st.markdown(
            _(
                "{target} replaces {live} from the next question on.",
                target=markup.plain(target),
                live=markup.plain(live),
            )
        )
        why = st.text_input(_("Reason (optional)"), key="rollback-why", max_chars=500)
        if st.form_submit_button(_("Roll back to {target}", target=markup.plain(target)), type="primary"):
            act = partial(registry().rollback, current_user(), why)
            attempt(
                lambda: act_as("curator", "model rolled back", act, target), _("{target} is live again", target=target)
            )


def _switch() -> None:
    is_on = bool(st.session_state["promotes-by-itself"])
    act = partial(registry().set_promotes_by_itself, is_on)
    try_to(lambda: act_as("curator", f"automatic promotion {'on' if is_on else 'off'}", act))


# the comparison ------------------------------------------------------------------------------------------


def show_comparison() -> None:
    """Show one model's comparison, by default the newest."""
    reports = {model.name: report for model in registry().models() if (report := _report(model))}
    if not reports:
        return
    if st.session_state.pop("scroll-to-comparison", False):
        scroll_here(key=f"scroll-to-{st.session_state.get(CHOSEN)}")
    st.header(_("Comparison"), anchor=False)
    if st.session_state.get(CHOSEN) not in reports:  # removed in the meantime
        st.session_state.pop(CHOSEN, None)
    name = st.selectbox(_("Model"), list(reports), key=CHOSEN, width=320) if len(reports) > 1 else next(iter(reports))
    report = reports[name]
    show_report(report, registry().folder(name))
    live = registry().live()
    if name == live:
        st.caption(_("{name} is live.", name=markup.plain(name)))
        return
    show_past_trial(name)
    with st.container(horizontal=True, vertical_alignment="center"):
        promote_button(name, "comparison", is_primary=report.verdict == "promote")
        trial_button(name)


def _report(model: TrainedModel) -> GateReport | None:
    """Return a reranker's comparison; embedders of an older version have none."""
    return GateReport.load(registry().folder(model.name)) if model.kind in RERANKER_KINDS else None


# all models ----------------------------------------------------------------------------------------------


def show_models() -> None:
    """Show all models, newest first, the shipped one last; then the history."""
    st.header(_("All models"), anchor=False)
    live = registry().live()
    for model in registry().models():
        _show_model(model, live)
    with st.container(border=True, gap="xsmall", key="model-shipped"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(f"**{SHIPPED}**{_live_mark(SHIPPED, live)}", width="content")
            if live != SHIPPED:
                promote_button(SHIPPED, "list")
        st.caption(_("Comes with Citeloop; trained on public documentation, not on your feedback."))
    if history := registry().history():
        with st.expander(_("History")):
            st.markdown("\n".join(f"- {history_line(each, current_user())}" for each in history[:_NUM_HISTORY]))


def _show_model(model: TrainedModel, live: str) -> None:
    report = _report(model)
    with st.container(border=True, gap="xsmall", key=f"model-{model.name}"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(f"**{markup.plain(model.name)}**{_live_mark(model.name, live)}", width="content")
            with st.container(horizontal=True, width="content", vertical_alignment="center"):
                if report:
                    st.button(
                        _("Show comparison of {name}", name=markup.plain(model.name)),
                        key=f"open-{model.name}",
                        icon=":material/bar_chart:",
                        on_click=choose_comparison,
                        args=(model.name,),
                    )
                if model.name != live:
                    if model.kind in RERANKER_KINDS:
                        promote_button(model.name, "list")
                    _remove_button(model.name)
        verdict = _(VERDICTS[report.verdict] if report else N_("not compared"))
        against = _(" (compared with {live})", live=markup.plain(report.live)) if report else ""
        st.markdown(f"{sentence(verdict)}{against}")
        base = model.base.rstrip("/").rpartition("/")[2]
        kind = _(_KINDS.get(model.kind, model.kind))
        words = _("from {base}", base=markup.plain(base))
        st.caption(f"{moment(model.created_at)} · {words} · {markup.plain(kind)}")


def _live_mark(name: str, live: str) -> str:
    return _(" &nbsp;:green-badge[live]") if name == live else ""


def promote_button(name: str, place: str, *, is_primary: bool = False) -> None:
    """A button with a confirmation; against the comparison, it warns and requires a reason."""
    warning = _objection(name)
    key = f"{place}-{name}"
    with (
        st.popover(
            _("Promote {name}", name=markup.plain(name)),
            icon=":material/publish:",
            type="primary" if is_primary else "secondary",
            key=f"promote-{key}",
        ),
        st.form(f"promote-form-{key}", border=False),
    ):
        if warning:
            st.warning(markup.plain(f"{warning}."), icon=":material/warning:")
        st.markdown(
            _("{name} goes live with the next question. You can roll back at any time.", name=markup.plain(name))
        )
        label = _("Reason for overriding (required)") if warning else _("Reason (optional)")
        why = st.text_input(label, key=f"promote-why-{key}", max_chars=500).strip()
        if st.form_submit_button(_("Promote {name} now", name=markup.plain(name)), type="primary"):
            if warning and not why:
                st.error(_("Enter a reason; the history shows it to others."))
            else:
                attempt(lambda: _promote(name, why, override=bool(warning)), _("{name} is live", name=name))


def _promote(name: str, why: str, *, override: bool) -> None:
    act = partial(registry().promote, name, current_user(), why, override=override)
    act_as("curator", "model promoted", act, name)


def _objection(name: str) -> str:
    """Return the objection to promoting a model, or what is wrong with its comparison; '' if there is none."""
    try:
        return registry().objection(name)
    except RegistryError as error:
        return str(error)


def _remove_button(name: str) -> None:
    with st.popover(_("Remove"), icon=":material/delete:", key=f"remove-{name}"):
        st.markdown(_("{name} and its files will be deleted. The history is kept.", name=markup.plain(name)))
        if st.button(_("Remove {name}", name=markup.plain(name)), key=f"remove-now-{name}", type="primary"):
            act = partial(registry().remove, name)
            attempt(lambda: act_as("curator", "model removed", act, name), _("{name} removed", name=name))


def history_line(line: Promotion, me: str) -> str:
    """Return one line of the history as Markdown."""
    model, previous = markup.plain(line.model), markup.plain(line.previous)
    what = {
        "promote": _("**{model}** replaced {previous}", model=model, previous=previous),
        "rollback": _("rolled back from {previous} to **{model}**", previous=previous, model=model),
        "fallback": _("{previous} failed, **{model}** was used instead", previous=previous, model=model),
    }[line.action]
    who = f" · {markup.plain(by_person(line.who, me))}" if line.who else ""
    against = _(" · against the comparison") if line.verdict in ("keep", "too little data") else ""
    why = f" · {markup.plain(' '.join(line.why.split()))}" if line.why else ""
    return f"{moment(line.at)} · {what}{who}{against}{why}"
