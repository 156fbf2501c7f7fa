"""The sign-in screen, the account in the sidebar, and the messages for refused visitors."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from core.access.errors import AccessError
from core.access.roles import Permission, least_role
from core.access.sign_in import sign_in
from core.access.trail import write_trail
from core.access.users import read_users
from core.errors import CoreError
from dashboard.shell.error_display import feedback, show_error
from dashboard.shell.navigation import go
from dashboard.shell.resources import settings
from dashboard.shell.session import allowed, arrive, current, end_session, expired, exposed, remember, sign_in_method
from dashboard.ui.components import head
from dashboard.ui.markdown import plain

_WORDS = {
    Permission.ENROL: "enrol people",
    Permission.ACCESS: "manage who may sign in",
}
_SAID = "door_said"
_ENDED = "Your session has ended. Sign in again."


def is_open() -> bool:
    """Record the visit, and return whether the visitor may see pages; False where that can't be determined."""
    arrive()
    return current().role is not None


def sign_in_screen() -> None:
    """The sign-in screen, or the reason for a refusal, in place of every page."""
    try:
        how = sign_in_method()
        if how == "open":
            _exposed(exposed())
        elif how == "oidc":
            _provider()
        else:
            _password()
    except CoreError as error:
        show_error(error)


def account() -> None:
    """The account and the sign-out button in the sidebar; nothing where sign-in is off."""
    how = sign_in_method()
    if how == "open":
        return
    who = current()
    with st.sidebar, st.container(key="door_account", gap="small"):
        st.markdown(f":material/account_circle: **{plain(who.name)}**, {who.role}")
        if st.button("Sign out", icon=":material/logout:", key="door_out", type="tertiary"):
            with feedback():
                write_trail(settings(), "signed out")
            end_session()
            if how == "oidc":
                st.logout()
                st.stop()  # a rerun would discard the redirect to the provider
            st.rerun()


def refused(permission: Permission) -> bool:
    """Return True, and show why, where the visitor lacks `permission`: the page ends there."""
    if allowed(permission):
        return False
    st.info(
        f"**Your role {current().role} can't {_WORDS.get(permission, permission)}.** This requires the role "
        f"{least_role(permission)}. Ask an admin to give it to you, or ask somebody who has it.",
        icon=":material/lock:",
    )
    if st.button("Go to Identify", icon=":material/arrow_forward:", key="door_elsewhere"):
        go("identify")
    return True


def not_yours(what: str, role: Literal["operator", "admin"] = "operator") -> None:
    """A caption in place of controls that need another role."""
    st.caption(f":material/lock: {what} needs the role {role}.")


def _password() -> None:
    left, middle, right = st.columns([1, 2.4, 1])
    del left, right
    read_users(settings())  # report a damaged file at once
    if expired():
        end_session()
        st.session_state[_SAID] = _ENDED
    said = st.session_state.get(_SAID, "")
    with middle:
        head("Sign in", "EdgeFace Studio contains biometric data. You need an account to view it.")
        if said:
            st.info(said, icon=":material/schedule:")
        with st.form("door_form"):
            name = st.text_input("Name", key="door_name", max_chars=200, autocomplete="username")
            password = st.text_input(
                "Password", type="password", key="door_password", max_chars=300, autocomplete="current-password"
            )
            asked = st.form_submit_button("Sign in", type="primary", icon=":material/login:", width="stretch")
        if asked:
            with feedback() as attempt, st.spinner("Checking"):
                user = sign_in(settings(), name, password)
            if attempt.ok:
                remember(user)
                st.rerun()
        st.caption("No account, or forgotten your password? Ask an admin.")


def _provider() -> None:
    _need_authlib()
    head("Sign in", "EdgeFace Studio contains biometric data. You need an account to view it.")
    if not st.user.is_logged_in or expired():
        if st.user.is_logged_in:
            st.info(_ENDED, icon=":material/schedule:")
        if st.button("Sign in with your organisation", type="primary", icon=":material/login:", key="door_oidc"):
            st.login()
        return
    who = current()
    st.warning(
        f"**{plain(who.name)} is signed in, but has no role here.** Ask an admin to add the address to admins, "
        f"operators "
        "or viewers under [access] in the secrets file.",
        icon=":material/lock:",
    )
    if st.button("Sign out", icon=":material/logout:", key="door_out"):
        st.logout()


def _need_authlib() -> None:
    import importlib.util

    if importlib.util.find_spec("authlib") is None:
        raise AccessError(
            "Sign-in with a provider needs the package Authlib, which isn't installed.",
            "Install it: pip install 'edgeface-studio[oidc]'.",
        )


def _exposed(why: str) -> None:
    head("Closed", "The dashboard contains biometric data and is reachable from other machines.")
    st.error(
        f"**Access is closed: {plain(why or 'it is reachable from other machines')}, and sign-in is off.**\n\n"
        "Add an admin to require sign-in, or start the dashboard without `--server.address`, for this machine only.",
        icon=":material/gpp_bad:",
    )
    st.code("edgeface-studio users add NAME --role admin", language=None)
    st.caption(
        "Before you serve it to other machines, put a proxy with TLS in front of it: passwords are sent unencrypted."
    )


__all__ = ["account", "is_open", "not_yours", "refused", "sign_in_screen"]
