"""What a provider's claims make of a person here. Pure."""

from collections.abc import Mapping
from typing import Any

from archipel.serve.accounts.people import ProjectRole, Role
from archipel.serve.accounts.people_office import Arrival
from archipel.serve.login.id_token import LoginRefused
from archipel.serve.login.settings import GroupTable, OidcTable

_RANKS: Mapping[str, int] = {"person": 0, "member": 0, "auditor": 1, "manager": 1, "admin": 2}
_EMAIL_CHARACTERS = 254


def arrival(table: OidcTable, claims: Mapping[str, Any]) -> Arrival:
    """Who comes, and with what rights; of an address only one that the provider has checked.

    Raises:
        LoginRefused: their address is of no domain that is let in.
    """
    email = _email(claims)
    domain = email.rpartition("@")[2].lower() if email else None
    if table.email_domains and domain not in {one.lower() for one in table.email_domains}:
        raise LoginRefused("the person has no verified address of email_domains")
    name = claims.get("preferred_username") or email or claims.get("name") or claims["sub"]
    role, projects = _rights(table, claims)
    return Arrival(table.issuer, claims["sub"], str(name), email, role, projects)


def _email(claims: Mapping[str, Any]) -> str | None:
    email = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(email, str):
        return None
    fits = "@" in email and email.isprintable() and len(email) <= _EMAIL_CHARACTERS
    return email if fits else None


def _rights(
    table: OidcTable, claims: Mapping[str, Any]
) -> tuple[Role | None, Mapping[str, ProjectRole] | None]:
    """The most that any of the groups gives; nothing of it if groups don't matter."""
    if table.groups_claim is None:
        return None, None
    named = claims.get(table.groups_claim) or []
    named = named if isinstance(named, list) else [named]
    groups = [
        table.groups[name] for name in named if isinstance(name, str) and name in table.groups
    ]
    return _highest_role(groups), _highest_in_projects(groups)


def _highest_role(groups: list[GroupTable]) -> Role:
    return max((group.role for group in groups), key=_RANKS.__getitem__, default="person")


def _highest_in_projects(groups: list[GroupTable]) -> dict[str, ProjectRole]:
    found: dict[str, ProjectRole] = {}
    for group in groups:
        for project, role in group.projects.items():
            if project not in found or _RANKS[role] > _RANKS[found[project]]:
                found[project] = role
    return found
