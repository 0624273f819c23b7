"""People: whose votes move most, and whose are ignored."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app.feedback.people import Voter, voters
from app.settings import read_settings
from app.translation import N_, ngettext, number
from app.translation import gettext as _
from app.ui import markup
from app.ui.feedback.counts import Feedback
from app.ui.messages import tell, try_to
from app.ui.paging import page_of
from app.ui.resources import current_user, feedback_store, reads_everything
from app.ui.who import act_as
from app.ui.words import by_person, day, person

_NUM_PEOPLE = 20


def show_people(_said: Feedback) -> None:
    """Show everybody who said something, whose votes move most first."""
    if not reads_everything():
        return
    st.caption(
        _(
            "The votes, decisions and written answers of people who are ignored no longer count. Without a login, the "
            "same person in another browser counts as somebody else."
        )
    )
    for voter in page_of(voters(feedback_store(), read_settings().min_agreeing), _NUM_PEOPLE, "people-page"):
        with st.container(border=True, horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            name = markup.plain(person(voter.user, current_user()))
            st.markdown(f"**{name}**  \n:small[{markup.plain(voter_words(voter))}]", width="content")
            _show_button(voter, name)


def _show_button(voter: Voter, name: str) -> None:
    """Show the button that ignores somebody, or counts them again; nobody ignores themselves."""
    is_me = voter.user == current_user()
    if voter.ignored and not (is_me and voter.ignored.decided_by != voter.user):
        st.button(_("Count again"), key=f"ignore-{voter.user}", on_click=_ignore, args=(voter,))
    elif not (voter.ignored or is_me):
        with st.popover(_("Ignore this person's votes"), key=f"ignoring-{voter.user}"):
            st.markdown(
                _(
                    "This takes back all votes, decisions and written answers of {name} at once, and later ones will "
                    "not count. The log is kept, and you can count them again.",
                    name=name,
                )
            )
            st.button(
                _("Ignore {name}", name=name),
                type="primary",
                key=f"ignore-{voter.user}",
                on_click=_ignore,
                args=(voter,),
            )


def ignored_words(user: str) -> str:
    """Return that nothing this user says counts, since when and by whom; '' if it does."""
    ignored = feedback_store().ignored().get(user)
    if ignored is None:
        return ""
    by = by_person(ignored.decided_by, user)
    return _(
        "Your votes, decisions and written answers do not count: ignored {by} since {day}.", by=by, day=day(ignored.at)
    )


def voter_words(voter: Voter) -> str:
    """Return how many votes, how many act, and how often others agree."""
    parts = []
    if voter.ignored:
        by = by_person(voter.ignored.decided_by, current_user())
        parts.append(_("ignored {by} since {day}", by=by, day=day(voter.ignored.at)))
    if voter.num_votes:
        share = number(voter.num_acting / voter.num_votes, ".0%")
        parts.append(
            ngettext(
                "{n} vote, {share} act for others", "{n} votes, {share} act for others", voter.num_votes, share=share
            )
        )
    if voter.num_compared:
        parts.append(
            _(
                "others agree with {num_agreeing} of {num_compared}",
                num_agreeing=voter.num_agreeing,
                num_compared=voter.num_compared,
            )
        )
    if voter.num_decisions:
        parts.append(ngettext("{n} decision as a curator", "{n} decisions as a curator", voter.num_decisions))
    return " · ".join(parts) or _("no votes that count")


def _ignore(voter: Voter) -> None:
    what, ignored = "votes counted again" if voter.ignored else "votes ignored", not voter.ignored
    act = partial(feedback_store().ignore, voter.user, current_user(), ignored=ignored)
    if try_to(lambda: act_as("curator", what, act, voter.user)):
        done = N_("The votes of {name} are ignored.") if ignored else N_("The votes of {name} count again.")
        tell("success", _(done, name=person(voter.user, current_user())))
