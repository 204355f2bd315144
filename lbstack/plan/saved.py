"""Saved plans: a plan as a file, bound to the place and the state it was made for.

Plain JSON with its own checksum. Secrets are not in it: it names the variable and the keyed digest,
and whoever applies it must hold the same secret. It is carried out exactly, or not at all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from lbstack.errors import ConfigError, StateError, UsageError
from lbstack.plan.changes import (
    ABSENT,
    Absent,
    Action,
    Change,
    Deposed,
    FieldChange,
    OutputChange,
    Pins,
    Plan,
)
from lbstack.plan.soundness import fitting, require_sound
from lbstack.recover import Orphan, Verdict
from lbstack.stack.files import digest_of_files
from lbstack.state.files import write_whole
from lbstack.state.model import State
from lbstack.values import Address, Allowed, Digest, Ref, Secret, Source, Template, Unknown

FORMAT = 3
MAGIC = '{"lbstack_plan":'
AGAIN = "plan again, and apply that"


@dataclass(frozen=True, slots=True)
class Withheld:
    """Where a secret stands in a saved plan: which variable holds it, and its digest."""

    variable: str
    digest: str


@dataclass(frozen=True, slots=True)
class Saved:
    """A plan file as read: secrets are still `Withheld`."""

    plan: Plan
    path: Path


def is_plan(path: Path) -> bool:
    """Whether a path names a saved plan rather than a stack."""
    try:
        with path.open("rb") as file:
            return path.is_file() and file.read(len(MAGIC)) == MAGIC.encode()
    except OSError:
        return False


def require_place(path: Path) -> None:
    """Refuse a path where no plan can be saved."""
    if not path.parent.is_dir():
        raise ConfigError(f"there is no folder {path.parent} to save a plan in", "make it first")


def write_plan(path: Path, plan: Plan, state: State) -> None:
    """Save a plan for a later apply, readable by its owner only."""
    require_place(path)
    write_whole(path, _sealed(json.dumps(_encode(_with_digests(plan, state)), separators=(",", ":"))))


def _sealed(body: str) -> bytes:
    """A plan file: its format, its checksum, the plan."""
    checksum = hashlib.sha256(body.encode()).hexdigest()
    return f'{MAGIC}{FORMAT},"sha256":"{checksum}","plan":{body}}}\n'.encode()


def read_plan(path: Path) -> Saved:
    """A saved plan. Anything that is not exactly what was written is refused."""
    try:
        raw = path.read_bytes()
        document = json.loads(raw)
        if document["lbstack_plan"] != FORMAT:
            raise StateError(f"{path} has plan format {document['lbstack_plan']!r}, not {FORMAT}", AGAIN)
        # Byte by byte: what means the same and is spelled otherwise was not written here either.
        if raw != _sealed(json.dumps(document["plan"], separators=(",", ":"))):
            raise StateError(f"{path} is not as it was saved", AGAIN)
        plan = _decode(document["plan"])
        if not isinstance(plan, Plan):
            raise TypeError("no plan")
        require_sound(plan)
        return Saved(plan, path)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise StateError(f"{path} is damaged ({type(error).__name__})", AGAIN) from None


def require_endpoint(saved: Saved, endpoint: str) -> None:
    """Refuse a plan that was made for another place, and say which option names that one."""
    made = saved.plan.pins.endpoint
    if made == endpoint:
        return
    if "://" not in made:  # a word that stands for what is embedded
        cure = f"give --{made}"
    else:
        cure = f"give --endpoint {made}" if "://" in endpoint else f"leave --{endpoint} out"
    raise StateError(f"{saved.path} was made for {made}, not for {endpoint}", cure)


def require_same_found(saved: Saved, verdict: Verdict) -> None:
    """Refuse a plan that took objects over, or did not, where a look now tells otherwise."""
    if dict(saved.plan.recovered) != {address: seen.id for address, seen in verdict.found.items()}:
        raise StateError(f"{saved.path} is stale: what an earlier apply had made is only known now", AGAIN)


def require_same_stack(saved: Saved) -> None:
    """Refuse a plan whose stack is there, and says something else by now."""
    pins = saved.plan.pins
    path = Path(pins.path)
    if pins.path and path.exists():
        try:
            same = digest_of_files(path) == pins.files
        except (OSError, UsageError):
            same = False
        if not same:
            raise StateError(f"{path} was edited since {saved.path} was made of it", AGAIN)


def bind(saved: Saved, state: State, endpoint: str, environ: Mapping[str, str]) -> Plan:
    """The plan, ready to be carried out against this state; refused when anything has moved."""
    pins = saved.plan.pins
    require_endpoint(saved, endpoint)
    if pins.lineage != state.lineage:
        raise StateError(
            f"{saved.path} was made with another state than this",
            "give the --state that it was planned with, or plan again",
        )
    if pins.nonce in state.spent:
        raise StateError(f"{saved.path} has been carried out already", AGAIN)
    if pins.serial != state.serial:
        raise StateError(f"{saved.path} is stale: the state has moved on since it was made", AGAIN)
    if state.organization and pins.organization != state.organization:
        raise StateError(f"{saved.path} was made for organisation {pins.organization}", AGAIN)
    changes = tuple(
        replace(change, want=_with_secrets(change.address, change.want, state, environ))
        for change in saved.plan.changes
    )
    return replace(saved.plan, changes=changes)


def _with_digests(plan: Plan, state: State) -> Plan:
    """The plan with each secret of a wish withheld."""

    def withhold(address: Address, value: Any) -> Any:
        if not isinstance(value, Secret):
            return value
        if value.variable is None:
            raise ConfigError(
                f"{address} has a secret written in the stack file, which a saved plan must not hold",
                "put it in a variable with secret: true",
            )
        return Withheld(value.variable, state.digest(address, value).hex)

    changes = tuple(
        replace(c, want={n: withhold(c.address, v) for n, v in c.want.items()}) if c.want is not None else c
        for c in plan.changes
    )
    return replace(plan, changes=changes)


def _with_secrets(
    address: Address, want: Mapping[str, Any] | None, state: State, environ: Mapping[str, str]
) -> Mapping[str, Any] | None:
    if want is None:
        return None
    return {
        name: _secret(address, value, state, environ) if isinstance(value, Withheld) else value
        for name, value in want.items()
    }


def _secret(address: Address, withheld: Withheld, state: State, environ: Mapping[str, str]) -> Secret:
    name = f"LBSTACK_VAR_{withheld.variable}"
    if name not in environ:
        raise ConfigError(
            f"{address} needs the secret {withheld.variable}, which a plan does not hold", f"set {name}"
        )
    secret = Secret(environ[name], withheld.variable)
    if state.digest(address, secret).hex != withheld.digest:
        raise StateError(f"{name} is not the secret that was planned for {address}", AGAIN)
    return secret


# -- the codec: tagged JSON for the values a plan holds ----------------------------------------------

NOUNS = (Plan, Pins, Change, FieldChange, OutputChange, Deposed, Orphan, Allowed, Withheld)
RECORDS = {cls.__name__: cls for cls in NOUNS}


def _encode(value: Any) -> Any:
    if isinstance(value, Action):
        return {"$action": value.value}
    if isinstance(value, (Address, Ref, Digest, Unknown, Template, Source, Absent)):
        return _encode_noun(value)
    if type(value).__name__ in RECORDS:
        return {f"${type(value).__name__}": {f.name: _encode(getattr(value, f.name)) for f in fields(value)}}
    if isinstance(value, Mapping):
        return {"$map": [[_encode(k), _encode(v)] for k, v in value.items()]}
    if isinstance(value, tuple):
        return {"$tuple": [_encode(item) for item in value]}
    if isinstance(value, list):
        return [_encode(item) for item in value]
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    raise TypeError(f"a plan cannot hold a {type(value).__name__}")


def _encode_noun(value: Any) -> Any:
    if isinstance(value, Address):
        return {"$address": str(value)}
    if isinstance(value, Ref):
        return {"$ref": [str(value.address), value.attribute]}
    if isinstance(value, Digest):
        return {"$digest": value.hex}
    if isinstance(value, Unknown):
        return {"$unknown": None if value.ref is None else _encode(value.ref)}
    if isinstance(value, Template):
        return {"$template": [_encode(part) for part in value.parts]}
    return {"$absent": True} if isinstance(value, Absent) else {"$source": list(value)}


DECODERS: dict[str, Callable[[Any], Any]] = {
    "$action": lambda x: Action(x),
    "$address": lambda x: Address.parse(x),
    "$ref": lambda x: Ref(Address.parse(x[0]), str(x[1])),
    "$digest": lambda x: Digest(bytes.fromhex(x).hex()),
    "$unknown": lambda x: fitting(Unknown, {"ref": _decode(x)}),
    "$template": lambda x: fitting(Template, {"parts": tuple(_decode(part) for part in x)}),
    "$source": lambda x: fitting(Source, dict(zip(Source._fields, x, strict=True))),
    "$absent": lambda x: ABSENT,
    "$map": lambda x: {_decode(k): _decode(v) for k, v in x},
    "$tuple": lambda x: tuple(_decode(item) for item in x),
}


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    ((tag, inner),) = value.items()
    if tag in DECODERS:
        return DECODERS[tag](inner)
    record: Callable[..., Any] = RECORDS[tag[1:]]
    return fitting(record, {name: _decode(item) for name, item in inner.items()})
