"""A plan cut down to some addresses (``--target``) and what they cannot do without."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import replace

from lbstack.errors import ConfigError, Problem, typed
from lbstack.plan.changes import Plan
from lbstack.plan.schedule import schedule
from lbstack.values import Address


def require_known(
    targets: Iterable[Address],
    known: Container[Address],
    option: str = "--target",
    words: Sequence[str] = (),
) -> None:
    """Refuse targets, or what another option names, that name nothing, all of them at once. `words` are what
    a command needs to come to the same state."""
    see = f"see: {typed('state list', *words)}"
    unknown = [
        Problem(f"{option} {target} names nothing in the stack or its state", see)
        for target in targets
        if target not in known
    ]
    if unknown:
        raise ConfigError(unknown)


def limited(whole: Plan, targets: set[Address]) -> Plan:
    """The plan for some addresses alone: with what they depend on, and with all that must be done
    before what of theirs goes can go."""
    needs = {old.address: old.needs for old in whole.deposed}
    needs |= {change.address: change.needs for change in whole.changes}
    require_known(targets, needs)
    steps = {step.name: step for step in schedule(whole)}
    keep = set(targets)
    grown = True
    while grown:
        more = {n for address in keep for n in needs[address] if n in needs}
        more |= {steps[name].address for s in steps.values() if s.address in keep for name in s.after}
        grown = not more <= keep
        keep |= more
    return replace(
        whole,
        changes=tuple(change for change in whole.changes if change.address in keep),
        deposed=tuple(item for item in whole.deposed if item.address in keep),
        drift=tuple(change for change in whole.drift if change.address in keep),
        imports=tuple(item for item in whole.imports if item[0] in keep),
        problems=tuple(problem for problem in whole.problems if problem.address in keep),
        outputs=(),
        output_wants={},
    )
