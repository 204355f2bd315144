"""What a workspace holds: one file a kind, one line a kind here.

A kind's module ends in ``KIND`` (see ``contract.Kind``): its tables, its SDL, its resolvers and its
REST routes. Nothing else in the sandbox names a kind.
"""

from importlib import import_module
from importlib.util import find_spec

from lbstack.sandbox.contract import Kind

_NAMES = (
    "session",
    "dataset",
    "data_row",
    "integration",
    "ontology",
    "project",
    "attachment",
    "editor",
    "review",
    "label",
    "member",
    "invite",
    "webhook",
)

KINDS: tuple[Kind, ...] = tuple(
    import_module(f"{__name__}.{name}").KIND for name in _NAMES if find_spec(f"{__name__}.{name}")
)
