"""`users` and `audit`: the dashboard's accounts with their roles, and the audit trail."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated, Literal

import typer

from core.commands.shared.common import UsageMistake, confirm_or_exit, example, gallery_place
from core.commands.shared.option_types import GalleryOption, JsonOption, YesOption
from core.commands.shared.printing import note, say, say_audit, say_json, say_table
from core.settings import load_settings
from core.system.server_address import may_be_there

group = typer.Typer(
    help="Accounts of the dashboard. Once there is one, every visitor has to sign in.",
    epilog=example("users add ada --role admin", "users list"),
    rich_markup_mode=None,
)

UserArgument = Annotated[str, typer.Argument(metavar="NAME", help="The account's name; case doesn't matter.")]
RoleText = Literal["viewer", "operator", "admin"]
RoleOption = Annotated[
    RoleText, typer.Option("--role", help="viewer: look; operator: also enrol, export and train; admin: everything.")
]
StdinOption = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from one line of standard input.")
]


def add_to(app: typer.Typer) -> None:
    app.add_typer(group, name="users")
    app.command("audit", epilog=example("audit", "audit --limit 20 --json"))(audit)


@group.command("add", epilog=example("users add ada --role admin", "users add grace --role viewer"))
def add(name: UserArgument, role: RoleOption = "viewer", password_stdin: StdinOption = False) -> None:
    """Add an account. The first one has to be an admin; from then on the dashboard requires a sign-in."""
    from core.access.roles import Role
    from core.access.users import add_user, clean_user_name, sign_in_needed

    settings = load_settings()
    first = not sign_in_needed(settings)
    cleaned = clean_user_name(name)
    user = add_user(settings, cleaned, _new_password(password_stdin), Role(role))
    say(f"{user.name} may sign in as {user.role}.")
    if first:
        note(
            "From now on the dashboard requires a sign-in. Anybody who can read its data folder isn't subject to roles."
        )


@group.command("list", epilog=example("users list", "users list --json"))
def list_users(as_json: JsonOption = False) -> None:
    """List the accounts with their roles."""
    from core.access.users import read_users

    users = read_users(load_settings())
    if as_json:
        say_json([{"name": user.name, "role": str(user.role)} for user in users])
        return
    if not users:
        say("There is no account, and no sign-in is required. To add one: edgeface-studio users add NAME --role admin")
        return
    say_table(("name", "role"), [(user.name, user.role) for user in users])


@group.command("role", epilog=example("users role grace operator"))
def role(name: UserArgument, role: Annotated[RoleText, typer.Argument(metavar="ROLE", help="The new role.")]) -> None:
    """Change an account's role at once; its user has to sign in again."""
    from core.access.roles import Role
    from core.access.users import change_role

    user = change_role(load_settings(), name, Role(role))
    say(f"{user.name} is {user.role} now.")


@group.command("password", epilog=example("users password grace"))
def password(name: UserArgument, password_stdin: StdinOption = False) -> None:
    """Change an account's password; its user has to sign in again."""
    from core.access.users import change_password, find_user

    settings = load_settings()
    if find_user(settings, name) is None:
        raise UsageMistake(f"There is no account called {name}.", "See edgeface-studio users list.")
    user = change_password(settings, name, _new_password(password_stdin))
    say(f"{user.name} has a new password.")


@group.command("remove", epilog=example("users remove grace --yes"))
def remove(name: UserArgument, yes: YesOption = False) -> None:
    """Remove an account at once. Without accounts no sign-in is required."""
    from core.access.users import read_users, remove_user

    settings = load_settings()
    last = len(read_users(settings)) == 1
    question = f"Remove {name}, the last account, so that no sign-in is required?" if last else f"Remove {name}?"
    confirm_or_exit(question, "Nothing was changed.", yes)
    off = remove_user(settings, name)
    say(f"{name} can't sign in any more.{' No sign-in is required any more.' if off else ''}")


def audit(
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many lines, newest first.")] = 50,
    gallery_path: GalleryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who did what and when, in the gallery and outside it. Enrolled people appear by number, not by name."""
    from core.access.trail import combined_trail, read_trail
    from core.gallery.store import Gallery

    settings = load_settings()
    path = gallery_place(settings, gallery_path)
    people = []
    if may_be_there(path):
        with Gallery.open(path, create=False) as gallery:
            people = gallery.audit(limit)
    entries = combined_trail(read_trail(settings, limit), people, limit)
    say_audit(entries, ("when (UTC)", "who", "what", "to what"), "subject", as_json)


def _new_password(from_stdin: bool) -> str:
    """The password typed twice without an echo, or one line of standard input. Raises UsageMistake."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise UsageMistake("A password is asked for, and there is no terminal.", "Add --password-stdin.")
    first = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != first:
        raise UsageMistake("The two passwords differ.", "Nothing was changed. Try again.")
    return first
