"""What no plan may do by mistake. Everything is counted against state, never against what a read returned.

================  ==========================================================  =======================
guard             refuses                                                     lifted by
================  ==========================================================  =======================
missing           what the stack names is gone from the workspace             --recreate ADDRESS, or
                                                                              state rm ADDRESS
several missing   two or more are gone, and one of them would be forgotten    --allow-mass-change
mass change       more than 5 end, or two or more that are over 20 % of what  --allow-mass-change
                  state records (destroyed, replaced, forgotten)
emptied stack     state records resources, the stack names none, and all      lbstack destroy
                  that is recorded would end
prevent_destroy   what is, or was, protected would be destroyed or replaced   prevent_destroy: false
data at stake     what is destroyed or replaced holds people's work           --allow-data-loss ADDRESS
                  (`Kind.holds`: rows, labels)
another's         an import of what bears the ownership tag of another stack  from_stack: STACK
the kind's own    what nobody could undo (`Kind.guard`)                       nothing
================  ==========================================================  =======================

A teardown (``destroy``, ``plan --destroy``) says what it is: only prevent_destroy and data at stake hold
there. What ``removed:`` names without destroying it is meant. Data is counted once more right before it
goes (`require_no_more`), and the kinds' own guards hold then, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from lbstack.errors import GuardError, Problem, typed
from lbstack.kinds.contract import Kind, Planned
from lbstack.live import Snapshot
from lbstack.plan.changes import Action, Change, Plan, Refusal, counted
from lbstack.plan.notes import some
from lbstack.plan.schedule import Step
from lbstack.stack.model import Stack
from lbstack.state.model import State
from lbstack.values import Address, Allowed

MOST = 5
"""Resources that may end in one plan."""
SHARE = 5
"""One in so many may end, where more than one does."""
PAIRS = 20
"""Resources with other keys that a refusal names, before it says how many more there are."""

ENDS = {Action.DELETE, Action.REPLACE}
GOES = {Action.DELETE, Action.REPLACE, Action.FORGET}


def refusals(
    plan: Plan,
    stack: Stack,
    state: State,
    snapshot: Snapshot,
    kinds: Mapping[str, Kind],
    allowed: Allowed,
    words: Sequence[str] = (),
) -> tuple[Refusal, ...]:
    """Every reason why a plan may not be carried out, all of them at once. `words` are what a command needs
    to come to the same state."""
    meant = {item.address for item in stack.removed if not item.destroy}
    going = [c for c in plan.changes if c.action in GOES and c.address not in meant]
    found = [*_protected(plan), *_at_stake(plan, allowed)]
    if not plan.destroy:
        found += _anothers(plan, stack, snapshot)
        found += _missing(plan, kinds, words)
        found += _emptied(going, stack, state, words) or [
            *_several_missing(going, state, snapshot, allowed),
            *_mass_change(going, state, allowed, _renamed(plan, kinds)),
        ]
        found += _kinds_own(plan, snapshot, kinds)
    return tuple(found)


def check(plan: Plan) -> None:
    """Refuse a plan for which a guard has a reason."""
    if plan.refusals:
        raise GuardError([refusal.problem for refusal in plan.refusals])


def lifting(plan: Plan) -> tuple[Allowed, bool] | None:
    """What would have to be allowed for no guard to refuse this plan, and whether as a teardown; None where
    more than words is needed."""
    if not all(refusal.allowed or refusal.destroy for refusal in plan.refusals):
        return None
    allowed = plan.allowed
    for refusal in plan.refusals:
        allowed |= refusal.allowed or Allowed()
    return allowed, any(refusal.destroy for refusal in plan.refusals)


def require_no_more(step: Step, kind: Kind, now: int, allowed: Allowed) -> None:
    """Refuse to end an object that holds more by now than the plan has shown.

    What was deposed by an earlier apply is in no plan's numbers: whoever allows its address means all of it.
    """
    if step.change is None and step.address in allowed.data_loss:
        return
    shown = step.change.contents if step.change else 0
    if now > shown:
        raise GuardError(
            f"{step.address} ({step.id}) holds {counted(now, kind.holds)} now, and the plan showed "
            f"{shown or 'none'}",
            f"look, and apply again with --allow-data-loss {step.address} if they may go",
        )


# -- one guard each ---------------------------------------------------------------------------------


def _missing(plan: Plan, kinds: Mapping[str, Kind], words: Sequence[str]) -> Iterator[Refusal]:
    for change in plan.changes:
        if change.action is Action.MISSING:
            address, lost = change.address, kinds[change.address.kind].lost
            costs = f" ({lost})" if lost else ""
            yield Refusal(
                Problem(
                    f"{address} ({change.id}) is missing: it was {change.reason}",
                    f"to make another, give --recreate {address}{costs}; to forget it: "
                    + typed("state rm", str(address), *words),
                    change.source,
                    address,
                ),
                Allowed(recreate=(address,)),
            )


def _anothers(plan: Plan, stack: Stack, snapshot: Snapshot) -> Iterator[Refusal]:
    told = {item.address: item for item in stack.imports}
    for address in (change.address for change in plan.changes if change.importing):
        live, item = snapshot.resources.get(address), told.get(address)
        owner, _, theirs = ((live and live.owner) or "").partition("/")
        if item and owner not in ("", stack.name, item.from_stack):
            yield Refusal(
                Problem(
                    f"{item.id} is {theirs} of stack {owner}, as its description says: two stacks would"
                    " manage it, and either could destroy it",
                    f"let go of it there ({typed('state rm', theirs or 'ADDRESS', 'THAT-STACK')}), then say"
                    f" from_stack: {owner} beside its id; in the same stack, moved: gives it another key",
                    item.source,
                    address,
                )
            )


def _several_missing(
    going: Iterable[Change], state: State, snapshot: Snapshot, allowed: Allowed
) -> Iterator[Refusal]:
    ours = {address for address, entry in state.resources.items() if entry.ending}
    gone = {address for address, live in snapshot.resources.items() if live is None} - ours
    forgotten = [c for c in going if c.action is Action.FORGET and c.address in gone]
    if forgotten and len(gone) > 1 and not allowed.mass_change:
        names = some([str(change.address) for change in forgotten])
        yield Refusal(
            Problem(
                f"{len(gone)} resources are gone from the workspace, and {names} would be forgotten",
                "look whether this is the right workspace and the key sees all of it; to forget them all the "
                "same, give --allow-mass-change",
            ),
            Allowed(mass_change=True),
        )


def _mass_change(
    going: list[Change], state: State, allowed: Allowed, renamed: list[tuple[Address, Address]]
) -> Iterator[Refusal]:
    recorded = sum(entry.id is not None for entry in state.resources.values())
    many = len(going) > MOST or (len(going) > 1 and len(going) * SHARE > recorded)
    if many and not allowed.mass_change:
        yield Refusal(
            Problem(
                f"{len(going)} of the {recorded} resources in state would end: "
                f"{some([str(change.address) for change in going])}",
                f"{_moving(renamed)}to let them, give --allow-mass-change",
            ),
            Allowed(mass_change=True),
        )


def _renamed(plan: Plan, kinds: Mapping[str, Kind]) -> list[tuple[Address, Address]]:
    """What would end, and what would be made beside it and looks the same: it got another key, it seems."""
    new = [change for change in plan.changes if change.action is Action.CREATE]
    pairs = []
    for old in plan.changes:
        alike = (each for each in new if _alike(kinds[each.address.kind], old, each))
        if old.action is Action.DELETE and (found := next(alike, None)):
            new.remove(found)
            pairs.append((old.address, found.address))
    return pairs


def _alike(kind: Kind, old: Change, new: Change) -> bool:
    """Whether two changes are about things of one kind with the same name, or the same natural key."""
    if old.address.kind != new.address.kind:
        return False
    before, after = dict(old.before or {}), dict(new.after or {})
    if before.get("name") is not None:
        return bool(before["name"] == after.get("name"))
    with suppress(LookupError, TypeError):  # of what is known in part there is no natural key
        natural = kind.natural(old.address.key, before)
        return bool(natural) and natural == kind.natural(new.address.key, after)
    return False


def _moving(renamed: list[tuple[Address, Address]]) -> str:
    """How a stack says that what seems to end has only got other keys."""
    if not renamed:
        return ""
    told = [f"{{from: {old}, to: {new}}}" for old, new in renamed[:PAIRS]]
    more = [f"… {len(renamed) - PAIRS} more"] if len(renamed) > PAIRS else []
    return (
        "if these have only got other keys, say so in the stack, and they stay: previously: on each, or"
        f" moved: [{', '.join([*told, *more])}]; "
    )


def _emptied(going: list[Change], stack: Stack, state: State, words: Sequence[str]) -> list[Refusal]:
    recorded = [address for address, entry in state.resources.items() if entry.id is not None]
    if stack.resources or not going or {change.address for change in going} < {*recorded}:
        return []
    what = f"the stack names no resource, and its state records {len(recorded)}"
    cure = f"put the stack back; to take everything down: {typed('destroy', *words)}"
    return [Refusal(Problem(what, cure), destroy=True)]


def _protected(plan: Plan) -> Iterator[Refusal]:
    for change in plan.changes:
        if change.protected and change.action in ENDS:
            yield Refusal(
                Problem(
                    f"{change.address} is protected, and this plan would {change.action} it",
                    "to allow it, apply the stack once with prevent_destroy: false on it",
                    change.source,
                    change.address,
                )
            )


def _at_stake(plan: Plan, allowed: Allowed) -> Iterator[Refusal]:
    for change in plan.changes:
        ends = change.action in ENDS and not change.forgets
        if ends and change.contents and change.address not in allowed.data_loss:
            yield Refusal(
                Problem(
                    f"{change.address} holds {counted(change.contents, change.holds)}, "
                    f"and this plan would {change.action} it",
                    f"to let them go, give --allow-data-loss {change.address}",
                    change.source,
                    change.address,
                ),
                Allowed(data_loss=(change.address,)),
            )


def _kinds_own(plan: Plan, snapshot: Snapshot, kinds: Mapping[str, Kind]) -> Iterator[Refusal]:
    by_kind: dict[str, list[Planned]] = {}
    for change in plan.changes:
        if change.action in (*ENDS, Action.CREATE, Action.UPDATE):
            told = dict(change.before or {}), dict(change.after or {}), dict(change.memory)
            planned = Planned(change.address, str(change.action), change.id, *told)
            by_kind.setdefault(change.address.kind, []).append(planned)
    sources = {change.address: change.source for change in plan.changes}
    for name, planned_ones in by_kind.items():
        for problem in kinds[name].guard(planned_ones, snapshot.facts.get(name, {}), snapshot.user):
            source = sources.get(problem.address) if problem.address else None
            yield Refusal(Problem(problem.summary, problem.detail, source, problem.address))
