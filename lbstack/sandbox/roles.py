"""The standard roles and what each may do (API reference 1.5).

The ids of the first five are the vendor's own, the same in every workspace. ``PermissionFlag`` values
are not documented; these are the sandbox's.
"""

from __future__ import annotations

from dataclasses import dataclass

VIEW_WORKSPACE = "VIEW_WORKSPACE"  # every dataset, ontology, integration, webhook and invite
VIEW_PROJECTS = "VIEW_PROJECTS"  # every project, not only those one was put on
LABEL = "LABEL"
MANAGE_DATASETS = "MANAGE_DATASETS"
MANAGE_PROJECTS = "MANAGE_PROJECTS"
MANAGE_ONTOLOGIES = "MANAGE_ONTOLOGIES"
MANAGE_WEBHOOKS = "MANAGE_WEBHOOKS"
MANAGE_MEMBERS = "MANAGE_MEMBERS"
MANAGE_ROLES = "MANAGE_ROLES"
MANAGE_INTEGRATIONS = "MANAGE_INTEGRATIONS"

_MANAGER = (
    VIEW_WORKSPACE, VIEW_PROJECTS, LABEL, MANAGE_DATASETS, MANAGE_PROJECTS, MANAGE_ONTOLOGIES,
    MANAGE_WEBHOOKS, MANAGE_MEMBERS,
)  # fmt: skip
PERMISSIONS = (*_MANAGER, MANAGE_ROLES, MANAGE_INTEGRATIONS)


@dataclass(frozen=True)
class Role:
    """A role; ``None`` is the role of people who only have roles on single projects."""

    id: str
    name: str
    description: str
    permissions: tuple[str, ...]


ROLES = (
    Role("cjlvi91a41aab0714677xp87h", "Admin", "May do everything", PERMISSIONS),
    Role("cjlvi919q1aa80714b7z3xuku", "Team Manager", "Manages projects, data and people", _MANAGER),
    Role("cjlvi919b1aa50714k75euii5", "Reviewer", "Labels and reviews", (VIEW_PROJECTS, LABEL)),
    Role("cjlvi914y1aa20714372uvzjv", "Labeler", "Labels", (VIEW_PROJECTS, LABEL)),
    Role("cjmb6xy80f5vz0780u3mw2rj4", "None", "Has roles on single projects only", (LABEL,)),
    Role(
        "cl0sandboxdataadmin000001",
        "Data Admin",
        "Manages data and ontologies",
        (VIEW_WORKSPACE, VIEW_PROJECTS, MANAGE_DATASETS, MANAGE_ONTOLOGIES),
    ),
    Role(
        "cl0sandboxprojectlead0001",
        "Project Lead",
        "Manages projects",
        (VIEW_WORKSPACE, VIEW_PROJECTS, LABEL, MANAGE_PROJECTS, MANAGE_ONTOLOGIES, MANAGE_WEBHOOKS),
    ),
    Role("cl0sandboxreadonlyadmin01", "Read-only Admin", "Sees everything", (VIEW_WORKSPACE, VIEW_PROJECTS)),
)

BY_ID = {role.id: role for role in ROLES}
BY_NAME = {role.name: role for role in ROLES}
ADMIN = BY_NAME["Admin"].id
NONE = BY_NAME["None"].id
