"""The visitor of a page: who they are and what they may do. Changes need a role and go into the audit log."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TypeVar

import streamlit as st

from app.access.access import Access
from app.access.audit import AuditLog
from app.access.identity import without_login
from app.access.policy import FILE_NAME, AccessError
from app.access.rights import Rights, Role
from app.access.users import user_of_cookie
from app.feedback import new_id
from app.settings import read_settings
from app.translation import N_
from app.translation import gettext as _

T = TypeVar("T")

USER_COOKIE = "citeloop_user"
PROXY_EMAIL, PROXY_GROUPS = "proxy_email", "proxy_groups"
"""Where Streamlit keeps the proxy's headers in st.user."""

_login_required = threading.Event()
"""Set when the server starts with a login: one that vanishes from the settings later opens nothing."""


class NotLoggedInError(AccessError):
    """A login is configured, and nobody is logged in."""


def require_login() -> None:
    """Refuse everybody who is not logged in, from now on."""
    _login_required.set()


def access() -> Access:
    """Return the rules of the configured home folder. Raises AccessError if they are broken from the start."""
    return _access(read_settings().home)


@cache  # not Streamlit's cache, which a browser can clear: the last good rules would be lost
def _access(home: Path) -> Access:
    def record(problem: str) -> None:
        AuditLog(home).add("", f"{FILE_NAME} {'refused' if problem else 'read again'}")

    return Access(home, record)


def current_rights() -> Rights:
    """Return what the visitor may do. Raises NotLoggedInError, and NoAccessError for somebody without a role."""
    claims: Mapping[str, object] = st.user.to_dict()
    if PROXY_EMAIL in claims:
        policy = access().policy
        claims = {"email": claims[PROXY_EMAIL], policy.groups_claim if policy else "": claims.get(PROXY_GROUPS)}
    elif not claims.get("is_logged_in"):
        if not (_login_required.is_set() or "is_logged_in" in claims):
            return without_login(user_of_cookie(_cookie()))
        claims = {}
    identity = access().identity_of(claims)
    if identity is None:
        raise NotLoggedInError(_("log in first"))
    return access().rights_of(identity)


def has_login_page() -> bool:
    """Return whether Streamlit's login is configured."""
    return "is_logged_in" in st.user


def is_logged_in() -> bool:
    """Return whether a login or a proxy says who the visitor is."""
    return bool(st.user.get("is_logged_in") or st.user.get(PROXY_EMAIL))


def current_user() -> str:
    """Return whose rows are the visitor's: the e-mail address of a login, else the user of the browser's cookie.

    Without a cookie, a user lasts as long as the page is open. Raises as `current_rights`.
    """
    return current_rights().user


def required(role: Role) -> Rights:
    """Return the visitor's rights. Raises AccessError unless they include those of the role."""
    rights = current_rights()
    if not rights.may_act_as(role):
        raise AccessError(
            _(
                "This needs the role {role}, and yours is {own}. Ask an administrator.",
                role=role_name(role),
                own=role_name(rights.role),
            )
        )
    return rights


_ROLES = (N_("reader"), N_("curator"), N_("admin"))
"""Here for the catalogs."""


def role_name(role: Role) -> str:
    """Return a role in the reader's language."""
    return _(role)


def act_as(role: Role, what: str, act: Callable[[], T], subject: str = "") -> T:
    """Change something that others notice: only with the role, and written to the audit log once it is done.

    what: such as 'document removed'. subject: its name, never the text of a question. Raises AccessError, and what
    act raises.
    """
    user, address = required(role).user, st.context.ip_address or ""
    done = act()
    AuditLog(read_settings().home).add(user, what, subject, address)
    return done


def _cookie() -> str:
    return st.context.cookies.get(USER_COOKIE) or str(st.session_state.setdefault("no-cookie", new_id()))
