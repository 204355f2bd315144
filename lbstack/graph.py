"""Station 2: Stack → Graph. References are followed, mistakes between resources found, order made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from typing import Any

from lbstack.errors import Problem
from lbstack.kinds import KINDS
from lbstack.kinds.contract import Fields, Kind
from lbstack.stack.model import Resource, Stack
from lbstack.stack.problems import Problems, shown
from lbstack.stack.specs import secrets_in
from lbstack.stack.variables import PREFIX
from lbstack.values import Address, Ref, Source, refs_in


@dataclass(frozen=True, slots=True)
class Graph:
    """A stack whose references all lead somewhere.

    `order` has every address after those it needs, in file order where that leaves a choice.
    `needs` has what each refers to directly, without repeats.
    """

    stack: Stack
    order: tuple[Address, ...]
    needs: dict[Address, tuple[Address, ...]]
    warnings: tuple[Problem, ...] = ()


def build(stack: Stack, kinds: Mapping[str, Kind] = KINDS, problems: Problems | None = None) -> Graph:
    """The graph of a stack. Raises `ConfigError` with everything that is wrong between resources, and
    with the `problems` that were found before."""
    problems = Problems() if problems is None else problems
    keys: dict[str, list[str]] = {}
    for address in stack.resources:
        keys.setdefault(address.kind, []).append(address.key)
    needs = {
        address: _needs(stack, refs_in(resource.fields), keys, resource, problems)
        for address, resource in stack.resources.items()
    }
    for output in stack.outputs.values():
        for ref in refs_in(output.value):
            _exists(stack, ref, keys, output.source, problems)
            _is_known(stack, kinds, ref, output.source, problems)
    for ref, source in stack.loose:
        _exists(stack, ref, keys, source, problems)
    for resource in stack.resources.values():
        for path, ref in _paths(resource.fields):
            if ref.attribute != "id":
                _is_known(stack, kinds, ref, resource.where(*path), problems)
    _check_renames(stack, kinds, keys, problems)
    order = _order(stack, needs, problems)
    _check_kinds(stack, kinds, problems)
    problems.raise_any()
    return Graph(stack, order, needs, tuple(problems.warnings))


def _needs(
    stack: Stack, refs: list[Ref], keys: dict[str, list[str]], resource: Resource, problems: Problems
) -> tuple[Address, ...]:
    """What a resource refers to; what is not there is a problem at the very word."""
    dangling = {ref.address for ref in refs if ref.address not in stack.resources}
    if dangling:
        for path, ref in _paths(resource.fields):
            if ref.address in dangling and problems.full:
                problems.skip(1)
            elif ref.address in dangling:
                _exists(stack, ref, keys, resource.where(*path), problems)
    return tuple(dict.fromkeys(ref.address for ref in refs if ref.address not in dangling))


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Ref]]:
    """The references inside a value and where: the path as written, a reference as key by its key."""
    if isinstance(value, dict):
        for key, item in value.items():
            for ref in refs_in(key):
                yield (*path, ref.address.key), ref
            yield from _paths(item, (*path, key))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _paths(item, (*path, index))
    else:
        for ref in refs_in(value):
            yield path, ref


def _exists(stack: Stack, ref: Ref, keys: dict[str, list[str]], source: Source, problems: Problems) -> None:
    if ref.address in stack.resources:
        return
    known = keys.get(ref.address.kind, ())
    otherwise = f"define it, or write the key of another {ref.address.kind}" if known else "define it"
    detail = problems.near(ref.address.key, known, otherwise)
    problems.add(f"there is no {ref.address.kind} {shown(ref.address.key)} in the stack", detail, source)


def _is_known(stack: Stack, kinds: Mapping[str, Kind], ref: Ref, source: Source, problems: Problems) -> None:
    """An attribute can be referred to if the stack writes it, or the service always sets it."""
    target = stack.resources.get(ref.address)
    known = target is None or target.partial or ref.attribute in target.fields
    if not known and ref.attribute not in ("id", *kinds[ref.address.kind].computed):
        problems.add(
            f"{ref.address} leaves its {ref.attribute} unmanaged, so nothing can refer to it",
            f"write {ref.attribute} there",
            source,
        )


CIRCLES = 20
"""Circles told in one run. Where many resources need each other there are more than anybody reads."""


def _order(
    stack: Stack, needs: dict[Address, tuple[Address, ...]], problems: Problems
) -> tuple[Address, ...]:
    """Dependencies first. Among those that are ready, the one that was written first."""
    links = {address: list(needed) for address, needed in needs.items()}
    for _ in range(CIRCLES):
        sorter = TopologicalSorter(links)
        try:
            sorter.prepare()
        except CycleError as error:
            # One link less, so that the next circle shows.
            circle = _tell_circle(stack, error.args[1][::-1], problems)
            links[circle[-2]].remove(circle[-1])
        else:
            break
    if any(len(links[address]) != len(needed) for address, needed in needs.items()):
        return ()
    rank = {address: index for index, address in enumerate(stack.resources)}
    order: list[Address] = []
    ready: list[tuple[int, Address]] = []
    while sorter.is_active():
        for address in sorter.get_ready():
            heappush(ready, (rank[address], address))
        order.append(heappop(ready)[1])
        sorter.done(order[-1])
    return tuple(order)


def _tell_circle(stack: Stack, circle: list[Address], problems: Problems) -> list[Address]:
    """Report a circle, and give it as it was told: from the resource that was written first."""
    first = min(range(len(circle) - 1), key=lambda index: stack.resources[circle[index]].source)
    turned = [*circle[first:-1], *circle[: first + 1]]
    problems.add(
        "resources need each other: " + " → ".join(map(str, turned)),
        "break the circle at one of them",
        stack.resources[turned[0]].source,
    )
    return turned


def _check_kinds(stack: Stack, kinds: Mapping[str, Kind], problems: Problems) -> None:
    """Each kind's own rules about a resource beside others. Of one that is known in part, what is known
    is judged, so that all that is wrong with it is told at once."""

    def find(ref: Ref) -> Fields | None:
        found = stack.resources.get(ref.address)
        return None if found is None else found.fields

    for address, resource in stack.resources.items():
        for field, summary in kinds[address.kind].check(address.key, resource.fields, find):
            problems.add(f"{address}: {summary}", "", resource.where(*field.split(".")))
        for field, summary in kinds[address.kind].unwise(resource.fields):
            problems.warn(f"{address}: {summary}", "", resource.where(*field.split(".")))
        for field, value in resource.fields.items():
            if any(secret.variable is None for secret in secrets_in(value)):
                _warn_of_plain(resource, field, problems)


def _warn_of_plain(resource: Resource, field: str, problems: Problems) -> None:
    """Say that a secret is for everybody to read who reads the stack, or the plans and states of it."""
    written = resource.written.value.get(field) if resource.written else None
    plain = not (isinstance(written, str) and "${" in written)
    what = "stands in the stack in plain words" if plain else "comes from a variable that is not secret"
    problems.warn(
        f"{resource.address}: its {field} {what}",
        f"declare a variable with secret: true, write ${{var.NAME}} here, and set {PREFIX}NAME",
        resource.where(field),
    )


def _check_renames(
    stack: Stack, kinds: Mapping[str, Kind], keys: dict[str, list[str]], problems: Problems
) -> None:
    """Old and new addresses must tell one story: an object has one old name and one new one."""
    old: dict[Address, Source] = {}
    _check_moves(stack, kinds, keys, old, problems)
    for address, resource in stack.resources.items():
        if resource.previously is not None:
            before, place = Address(address.kind, resource.previously), resource.where("previously")
            _left(stack, before, f"previously of {address}", old, place, problems)
            _stays_itself(kinds, before, address, place, problems)
    for removed in stack.removed:
        _left(stack, removed.address, "removed", old, removed.source, problems)
    seen: dict[tuple[str, str] | Address, Source] = {}
    for item in stack.imports:
        _exists(stack, Ref(item.address), keys, item.source, problems)
        for mark in (item.address, (item.address.kind, f"id {item.id}")):
            first = seen.setdefault(mark, item.source)
            if first is not item.source:
                what = (
                    str(item.address)
                    if isinstance(mark, Address)
                    else f"the {item.address.kind} with {mark[1]}"
                )
                problems.add(f"{what} is imported twice", f"first at {first}", item.source)


def _stays_itself(
    kinds: Mapping[str, Kind], before: Address, now: Address, source: Source, problems: Problems
) -> None:
    """Where the key says which object is meant, another key is another object."""
    kind = kinds[now.kind]
    if kind.identity(before.key) != kind.identity(now.key):
        problems.add(
            f"{before} cannot become {now}: the key of a {now.kind} says who or what it is",
            "leave this out, and the one goes and the other comes",
            source,
        )


def _check_moves(
    stack: Stack,
    kinds: Mapping[str, Kind],
    keys: dict[str, list[str]],
    old: dict[Address, Source],
    problems: Problems,
) -> None:
    origins = {item.from_ for item in stack.moved}
    targets: dict[Address, Source] = {}
    for item in stack.moved:
        _left(stack, item.from_, "moved", old, item.source, problems)
        if item.from_.kind != item.to.kind:
            problems.add(
                f"{item.from_} cannot become {item.to}", "a moved resource keeps its kind", item.source
            )
            continue
        _stays_itself(kinds, item.from_, item.to, item.source, problems)
        if item.to not in origins:
            _exists(stack, Ref(item.to), keys, item.source, problems)
        first = targets.setdefault(item.to, item.source)
        if first is not item.source:
            problems.add(f"two resources become {item.to}", f"the other at {first}", item.source)


def _left(
    stack: Stack, address: Address, word: str, old: dict[Address, Source], source: Source, problems: Problems
) -> None:
    """An address that a resource had before: nothing may stand there now, and only one may have left it."""
    if address in stack.resources:
        problems.add(
            f"{word}: {address} is still in the stack", f"at {stack.resources[address].source}", source
        )
    first = old.setdefault(address, source)
    if first is not source:
        problems.add(f"{word}: {address} has gone elsewhere already", f"at {first}", source)
