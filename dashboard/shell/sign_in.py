"""The way in: sign in with a password or a provider, the account in the sidebar, and the refusals in plain words."""

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
_ENDED = "Your session has ended. Sign in to go on."


def is_open() -> bool:
    """Whether whoever is here may see pages at all; a visit begins. A trouble with finding that out: no."""
    arrive()
    return current().role is not None


def at_the_door() -> None:
    """What is shown in place of every page to whoever isn't let in."""
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
    """Who is signed in, and the way out, in the sidebar; nothing where nobody has to sign in."""
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
                st.stop()  # a run that begins now would throw away what sends the browser to the provider
            st.rerun()


def refused(permission: Permission) -> bool:
    """True for whoever lacks `permission`, who is then told so: the page ends there."""
    if allowed(permission):
        return False
    st.info(
        f"**Your role {current().role} can't {_WORDS.get(permission, permission)}.** That needs the role "
        f"{least_role(permission)}. Ask an admin for it, or have somebody do it who has it.",
        icon=":material/lock:",
    )
    if st.button("Recognise somebody instead", icon=":material/arrow_forward:", key="door_elsewhere"):
        go("identify")
    return True


def not_yours(what: str, role: Literal["operator", "admin"] = "operator") -> None:
    """A quiet line in place of controls that aren't allowed."""
    st.caption(f":material/lock: {what} needs the role {role}.")


def _password() -> None:
    left, middle, right = st.columns([1, 2.4, 1])
    del left, right
    read_users(settings())  # a damaged file is said at once
    if expired():
        end_session()
        st.session_state[_SAID] = _ENDED
    said = st.session_state.get(_SAID, "")
    with middle:
        head("Sign in", "EdgeFace Studio holds biometric data. Only people with an account see it.")
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
        st.caption("No account, or the password forgotten? An admin adds people and gives new passwords.")


def _provider() -> None:
    _need_authlib()
    head("Sign in", "EdgeFace Studio holds biometric data. Only people with an account see it.")
    if not st.user.is_logged_in or expired():
        if st.user.is_logged_in:
            st.info(_ENDED, icon=":material/schedule:")
        if st.button("Sign in with your organisation", type="primary", icon=":material/login:", key="door_oidc"):
            st.login()
        return
    who = current()
    st.warning(
        f"**{plain(who.name)} is signed in, and has no role here.** An admin adds the address to admins, operators or "
        "viewers under [access] in the secrets file.",
        icon=":material/lock:",
    )
    if st.button("Sign out", icon=":material/logout:", key="door_out"):
        st.logout()


def _need_authlib() -> None:
    import importlib.util

    if importlib.util.find_spec("authlib") is None:
        raise AccessError(
            "Signing in with a provider needs the package Authlib, which isn't installed.",
            "Install it beside this program: pip install 'edgeface-studio[oidc]'.",
        )


def _exposed(why: str) -> None:
    head("Closed", "The dashboard holds biometric data, and it can be reached from other machines.")
    st.error(
        f"**Nobody is let in: {plain(why or 'it can be reached from elsewhere')}, and nobody is asked to sign in.**\n\n"
        "Add an admin, after which everybody signs in; or start it without another `--server.address`, for this "
        "machine alone.",
        icon=":material/gpp_bad:",
    )
    st.code("edgeface-studio users add NAME --role admin", language=None)
    st.caption("Behind a wider address, put a proxy with TLS in front: passwords travel as they are typed.")


__all__ = ["account", "at_the_door", "is_open", "not_yours", "refused"]
