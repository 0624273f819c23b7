"""The login, what people without a role or on a missing page see, and the name of the visitor with Sign out."""

from __future__ import annotations

import streamlit as st

from app.access.rights import Rights
from app.translation import gettext as _
from app.ui import links, markup
from app.ui.who import access, current_rights, has_login_page, is_logged_in, role_name


def show_login() -> None:
    """Show the button that leads to the login; with a proxy, say that it should have come first."""
    st.title("Citeloop", anchor=False)
    if not has_login_page():
        st.error(_("The proxy did not say who you are. Open Citeloop at the proxy's address."), icon=":material/error:")
        return
    if st.query_params.get("share"):
        st.info(_("Log in, then open the link again."), icon=":material/link:")
    st.button(_("Log in"), type="primary", icon=":material/login:", on_click=st.login)


def show_refusal(message: str) -> None:
    """Show why somebody has no access, with the way to log in as somebody else."""
    st.title("Citeloop", anchor=False)
    st.error(markup.plain(message), icon=":material/error:")
    _show_sign_out()


def show_missing_page() -> None:
    """Say that the address leads to no page of the visitor's role."""
    st.title(_("Page not found"), anchor=False)
    role = role_name(current_rights().role)
    st.markdown(_("There is no page at this address, or not for your role ({role}).", role=role))
    links.to_ask(_("Ask a question"))


def show_visitor(rights: Rights) -> None:
    """Show the name and role of somebody who is logged in, with Sign out; admins see if access.toml is broken."""
    if is_logged_in():
        with st.sidebar, st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"{markup.plain(rights.user)} ({role_name(rights.role)})", width="stretch")
            _show_sign_out()
    if rights.may_act_as("admin") and (problem := access().problem):
        st.error(_("The earlier rights are kept. {problem}", problem=markup.plain(problem)), icon=":material/error:")


def _show_sign_out() -> None:
    policy = access().policy
    if st.user.get("is_logged_in"):
        st.button(_("Sign out"), icon=":material/logout:", type="tertiary", on_click=st.logout)
    elif policy and policy.proxy and policy.proxy.sign_out_url:
        st.link_button(_("Sign out"), policy.proxy.sign_out_url, icon=":material/logout:", type="tertiary")
