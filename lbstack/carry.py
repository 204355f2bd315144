"""One step carried out: sent, and where its answer is lost, followed until it is known what became of it.

| a step without an answer | what is done, after a look |
| --- | --- |
| a create whose object is found | the object is taken over, and brought to what was planned |
| a create that was surely never carried out | sent anew, under another marker |
| a create of which something exists already, an update | what differs by now is sent |
| the end of an object | sent again, unless it is gone |

Nothing else is ever sent twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from lbstack.errors import NotFound, OutcomeUnknown, Problem, StackError
from lbstack.kinds.contract import Kind, Live
from lbstack.plan.diff import differences
from lbstack.plan.guards import require_no_more
from lbstack.plan.remembered import comparable, unfinished
from lbstack.plan.schedule import Step
from lbstack.recover import Patience, recover, reread, unclear
from lbstack.state.intents import retired_record
from lbstack.values import Intent
from lbstack.work import Run, StepWork

TRIES = 4
"""How often a step is sent at most, each time only after it is known what became of the time before."""

Act = Callable[[Run, Step, StepWork], Awaitable[None]]


async def carry_out(run: Run, step: Step, work: StepWork) -> None:
    """Send a step. Where its answer is lost it is not sent again before it is known what became of it."""
    act: Act = _send
    for left in reversed(range(TRIES)):
        try:
            with _shaped(step):
                return await act(run, step, work)
        except OutcomeUnknown as lost:
            if not left or not run.patience.waits:
                raise
            work.say(f"{lost.problems[0].summary}; looking what became of it")
            act = await _found_out(run, step, work)
    return None


async def _send(run: Run, step: Step, work: StepWork) -> None:
    """Send what was planned, once the next run could know of it."""
    kind = run.kinds[step.address.kind]
    intent = work.intent(run.state.actor, run.patience.now()) if step.verb == "create" else None
    await run.journal.before(run.ledger.told(run.state), intent)
    if intent is not None:
        run.ledger.announce(intent)
        work.finish(await kind.create(work, work.want))
    elif step.verb == "update":
        assert step.change is not None and step.id is not None
        have = dict(step.attributes)
        work.finish(await kind.update(work, step.id, have, work.want, step.change.changed))
    else:
        if step.verb != "forget":
            await _retire(run, kind, work, step)
        work.gone()


async def _found_out(run: Run, step: Step, work: StepWork) -> Act:
    """What is to be done now. While nobody can look, what was sent stays unknown, whatever the reason."""
    try:
        return await _find_out(run, step, work)
    except OutcomeUnknown:
        raise
    except StackError as trouble:
        why = trouble.problems[0].summary
        raise OutcomeUnknown(
            f"what became of {step.address} is not known, and could not be looked for: {why}",
            "look",
            "run apply again",
        ) from trouble


async def _find_out(run: Run, step: Step, work: StepWork) -> Act:
    """What is to be done about a step whose answer was lost. Raises while that cannot be known."""
    intent = run.ledger.pending.get(step.address)
    if step.verb != "create" or work.id is not None or intent is None:
        return _complete
    alone = replace(run.state, pending=(intent,), markers=())
    patience = Patience(run.patience.settle, run.patience.now)
    _, verdict = await recover(alone, run.kinds, run.wire, patience, _waits(work))
    if seen := verdict.found.get(step.address):
        run.orphans += verdict.orphans
        work.found(seen.id, seen.memory)
        work.say(f"it had been made ({seen.id})")
        return _complete
    if not verdict.lost:
        raise unclear(verdict, run.words)
    run.journal.add(retired_record(intent))
    run.ledger.retire(step.address)
    run.shared.clear()  # what was listed before may hold what was made since
    work.again()
    return _send


async def _complete(run: Run, step: Step, work: StepWork) -> None:
    """Bring what exists to what was planned, from how it is now: absolute writes, sent after a look."""
    assert work.object_id is not None
    kind = run.kinds[step.address.kind]
    live = await _look(run, work)
    if step.tears:
        if live is not None or kind.leaves(work.object_id, work.memory):
            await run.journal.before(run.ledger.told(run.state))
            await _retire(run, kind, work, step)
        return work.gone()
    if live is None:
        raise StackError(Problem(f"{work.object_id} is gone", "plan again", address=step.address))
    if live.id != work.object_id:
        work.renamed(live.id)
    wish = work.bound()
    have = comparable(kind, wish, live.attributes, work.entry)
    lines = differences(kind, wish, have, used=live.contents > 0)
    lines += unfinished(kind, work.entry, wish, lines)
    changed = {str(line.path[0]) for line in lines}
    given = {name: live.attributes[name] for name in kind.computed if name in live.attributes}
    if any(line.replaces for line in lines):
        raise StackError(Problem(f"{live.id} is not as it was made", "plan again", address=step.address))
    if changed:
        await run.journal.before(run.ledger.told(run.state))
        given |= await kind.update(work, live.id, have, work.want, changed)
    return work.finish(given)


async def _look(run: Run, work: StepWork) -> Live | None:
    """The step's object as it is now; None on proof that it is gone."""
    assert work.object_id is not None
    kind, state = run.kinds[work.address.kind], run.state
    settle, words = run.patience.settle, run.words
    return await reread(kind, work.address, work.object_id, work.entry, run.wire, state, settle, words)


def _waits(work: StepWork) -> Callable[[Sequence[Intent], float], None]:
    """Says, once a wait, how long it may take until it is known what became of a create."""
    return lambda open, seconds: work.say(f"nothing is there yet; waiting up to {seconds:.0f}s for it")


@contextmanager
def _shaped(step: Step) -> Iterator[None]:
    """An answer that is not of the shape a kind expects fails its step alone: what was sent may be done."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise OutcomeUnknown(
            f"the service's answer about {step.address} has an unexpected shape: "
            f"{type(error).__name__} at {error}",
            "shape",
            "what was sent may have had its effect; run apply again",
        ) from error


async def _retire(run: Run, kind: Kind, work: StepWork, step: Step) -> None:
    assert step.id is not None
    try:
        if kind.holds:  # counted once more, so that nothing goes that nobody has seen
            require_no_more(step, kind, await kind.count(work, step.id), run.plan.allowed)
        await kind.delete(work, step.id, dict(step.attributes))
    except NotFound:
        # Whoever sees less than before is told the same: only a look that tells who looks is proof.
        if await _look(run, work) is not None:
            raise StackError(
                Problem(
                    f"{step.id} was not found, and is there all the same", "plan again", address=step.address
                )
            ) from None
        work.say("was already gone")
