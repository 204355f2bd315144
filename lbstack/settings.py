"""What the command line and the environment say, how a command says it again, and what is said where the path
of a stack is none."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from lbstack.errors import Problem, UsageError, typed
from lbstack.redaction import is_secret
from lbstack.values import NOTHING, Address, Allowed

DEFAULT_ENDPOINT = "https://api.labelbox.com/graphql"
SANDBOX = "sandbox"
STACK = "{stack}"
"""In the place of a state: the name of the stack, so that one setting serves many."""
_BRACED = re.compile(r"\{[^{}]*\}")
FEW = 3
"""Stacks that are named before it is said how many more there are."""


@dataclass(frozen=True)
class Settings:
    """What the command line and the environment say; secrets stay in `environ`.

    Where `path` is a saved plan, `planned` is the stack that it was made of. Variables that are `shared` are
    for several stacks. `verb` is the command, where a stack is all that it must be given.
    """

    path: Path = Path()
    planned: Path | None = None
    sandbox: bool = False
    endpoint: str | None = None
    state: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    var_files: tuple[Path, ...] = ()
    targets: tuple[Address, ...] = ()
    allowed: Allowed = NOTHING
    parallelism: int = 10
    rate: int | None = None
    lock_timeout: float = 0.0
    destroy: bool = False
    settle_for: float | None = None
    waits: bool = True
    allow_nfs: bool = False
    shared: bool = False
    verb: str = ""
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    @property
    def where(self) -> str:
        """The endpoint, or the word that stands for the embedded sandbox."""
        if self.sandbox:
            return SANDBOX
        url = (self.endpoint or self.environ.get("LABELBOX_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")
        parts = _parts(url)
        if parts.query or parts.fragment:  # a key in a URL would end up in logs, and in the state
            raise UsageError("the endpoint has a query", "the key comes from LABELBOX_API_KEY alone")
        loopback = parts.hostname in ("localhost", "::1") or (parts.hostname or "").startswith("127.")
        if not parts.hostname or parts.scheme not in ("http", "https") or parts.username:
            told = url if "@" not in url else "with a user name"
            raise UsageError(f"the endpoint {told} is no GraphQL URL", f"as in {DEFAULT_ENDPOINT}")
        if parts.scheme == "http" and not loopback:
            raise UsageError(
                f"the endpoint {url} is not encrypted", "use https; http is for this machine only"
            )
        return url

    @property
    def settle(self) -> float:
        """Seconds after which what was given up is surely not carried out any more: the service's own
        ceiling of 60, and 15 until lists show it. The embedded sandbox ends with its process."""
        return self.settle_for if self.settle_for is not None else 5.0 if self.sandbox else 75.0

    @property
    def place(self) -> list[str]:
        """The options that say which workspace and which state, as they were given."""
        words = ["--sandbox"] if self.sandbox else []
        words += ["--endpoint", self.endpoint] if self.endpoint else []
        words += ["--state", self.state] if self.state else []
        return words + (["--allow-nfs"] if self.allow_nfs else [])

    @property
    def words(self) -> list[str]:
        """The stack, and where its state and workspace are, as a command names them."""
        path = self.planned or self.path
        return [*([str(path)] if path != Path() else []), *self.place]

    @property
    def values(self) -> list[str]:
        """The options that give variables their values, without those that are secret. Asked for when the
        stack has been read, and its secrets known."""
        words = [word for path in self.var_files for word in ("--var-file", str(path))]
        for name, value in self.variables.items():
            words += ["--var", f"{name}={value}"] if not is_secret(value) else []
        return words

    def of(self, stack: str) -> Settings:
        """The same, where `path` is a plan that was saved of a stack."""
        path = Path(stack)
        if not stack or not path.exists():
            return self
        here = Path.cwd()
        return replace(self, planned=path.relative_to(here) if path.is_relative_to(here) else path)

    def command(self, verb: str, *first: str) -> str:
        """Another command for the same stack, workspace and state, to be pasted into a shell."""
        return typed(verb, *first, *self.words)

    @property
    def state_path(self) -> str | None:
        """The state that was named, if one was. Raises `UsageError` for a word in braces that stands for
        nothing."""
        named = self.state or self.environ.get("LBSTACK_STATE") or None
        for word in _BRACED.findall(named or ""):
            if word != STACK:
                option = f"--state {named}" if self.state else f"LBSTACK_STATE={named}"
                only = f"{STACK} stands for the stack's name, and is all there is"
                raise UsageError(f"{option}: {word} stands for nothing", only)
        return named


def _parts(url: str) -> SplitResult:
    """The parts of an endpoint; a port that is none counts as wrong as brackets that do not close."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise UsageError(f"the endpoint {url} is no GraphQL URL", f"as in {DEFAULT_ENDPOINT}") from None
    return parts


def no_stack(settings: Settings, problems: Sequence[Problem]) -> Sequence[Problem]:
    """What is wrong with a stack, or with taking a file for one: of JSON that is something else, the problems
    that it would have as a stack are nobody's concern."""
    from lbstack.stack.files import SUFFIXES

    path = settings.path
    if path.is_dir() or path.suffix in SUFFIXES:
        return problems
    what = f"{path} is neither a stack nor a saved plan"
    nothing = Problem(what, "name a YAML file, a folder of such, or what plan --out has made")
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return [nothing, *problems]
    if not isinstance(document, dict):
        return [nothing]
    if "lbstack_plan" in document:
        cure = f"to carry it out, if it is as saved: {typed('apply', str(path), *settings.place)}"
        return [Problem(f"{path} is a saved plan, and no stack", cure)]
    if "lineage" in document:
        return [Problem(f"{path} is a state, and no stack", f"name the stack, and give --state {path}")]
    return problems if "stack" in document else [nothing]


def several(settings: Settings) -> Problem | None:
    """What is wrong with taking a folder of several stacks for one: as one stack, they would have problems
    that are nobody's concern."""
    from lbstack.stack.discovery import NAMELESS, stacks_near

    folder = settings.path
    near = stacks_near(folder) if folder.is_dir() else {}
    found = {path: name for path, name in near.items() if name not in ("", NAMELESS) and path != folder}
    inside = all(path.parent == folder and not path.is_dir() for path in found)
    names = {*found.values()}
    # A folder without a file is no stack, whatever lies below it.
    if not found or (inside and len(names) < 2):
        return None
    told = [f"{name} in {path}" for path, name in found.items()]
    named = ", ".join([*told[:FEW], *([f"and {len(told) - FEW} more"] if len(told) > FEW else [])])
    first, teardown = next(iter(found)), settings.destroy and settings.verb != "destroy"
    words = ["--destroy"] if teardown else []
    one = replace(settings, path=first).command(settings.verb, *words) if settings.verb else str(first)
    cure = f"name one, as in: {one}"
    if settings.verb == "plan" and not teardown:
        cure = f"to plan all: {settings.command('plan')} --all; or one: {one}"
    if not inside:
        return Problem(f"{folder} is no stack, and below it lie: {named}", cure)
    cure += f"; where {folder} is to be one stack, its files have one name"
    return Problem(f"{folder} holds {len(names)} stacks: {named}", cure)
