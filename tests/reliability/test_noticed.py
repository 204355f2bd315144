"""The batteries can fail: with any one of the mechanisms switched off, what they look for is there.

Each mechanism is taken out from outside, in this process, and one story that must end well with it must not
end so without it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import lbstack.api.outcomes as outcomes
import lbstack.apply as applying
import lbstack.asking as asking
import lbstack.carry as carry
import lbstack.live as live
import lbstack.recover as recovering
from lbstack.api.wire import ApiWire
from lbstack.cli.main import run as command
from lbstack.errors import Exit, LockedError, OutcomeUnknown, ServiceError
from lbstack.kinds import reading
from lbstack.kinds.contract import Reply
from lbstack.plan import guards, saved
from lbstack.sandbox.conditions import Paging
from lbstack.sandbox.world import add_organization
from lbstack.state import files, journal, remote, remote_log
from lbstack.state.intents import Ledger
from lbstack.state.store import Store
from tests.reliability.conftest import Report
from tests.reliability.converged import tracked
from tests.reliability.elsewhere import Kept, at, take_over
from tests.reliability.faulty import Script
from tests.reliability.simulation import Broken, Life, run
from tests.reliability.wishes import stack_text

Patch = Callable[[pytest.MonkeyPatch], None]
DATASET = {"dataset.d": {"name": "d", "description": "x"}}
WEBHOOK = {
    "webhook.w": {"url": "https://relay.example.com/w", "topics": ["LABEL_CREATED"], "secret": "${var.hook}"}
}


def must(truth: bool, what: str) -> None:
    if not truth:
        raise Broken(what)


# -- stories, each of which ends well ------------------------------------------------------------------


def lost(fault: str) -> Callable[[Life], None]:
    """A create whose answer is lost; the next day everything is there, once."""

    def story(life: Life) -> None:
        life.apply(Script(("createDataset", fault)))
        must(life.apply(Script()) is Exit.OK, "the next apply did not end well")
        life.require_converged()

    return story


def unseen(life: Life) -> None:
    """Nor can anybody look what became of it."""
    life.apply(Blinded(("createDataset", "broken after")))
    life.apply(Script())
    life.require_converged()


class Blinded(Script):
    """Weather in which nothing is answered any more once something went wrong."""

    def fault(self, body: bytes) -> str:
        return "502 before" if self.seen else super().fault(body)


def later(life: Life) -> None:
    """A create is carried out after it was given up, and settled."""
    life.settle = 0.0
    life.apply(Script(("createDataset", "late 1000")))
    run(life.app.catch_up(1000))
    life.apply(Script())
    living = {row["id"] for row in life.rows.rows("SELECT id FROM datasets WHERE deleted = 0")}
    strange = living - tracked(life.store.load())
    must(len(strange) == 1 and strange == life.orphans, f"of {strange} only {life.orphans} are told")


def soon(life: Life) -> None:
    """A create is carried out shortly after it was given up."""
    life.settle = 1.0
    life.apply(Script(("createDataset", "late 4")))
    life.apply(Script())
    life.require_converged()


def null(life: Life) -> None:
    """What is there is answered null."""
    life.apply(Script())
    ended = life.apply(Script(("Refresh", "null alias")))
    must(ended is Exit.ERROR, f"ended with {ended}")
    life.apply(Script())
    life.require_converged()


def lagging(life: Life) -> None:
    """A replica that is behind says of what is there that it is not, once."""
    life.apply(Script())
    ended = life.apply(Script(("a0: dataset(", "gone alias")))
    must(ended is Exit.OK, f"ended with {ended}")
    life.require_converged()


def elsewhere(life: Life) -> None:
    """The key is one of another organisation."""
    life.apply(Script())
    add_organization(life.rows, "Other")
    life.conditions.org = str(life.rows.value("SELECT id FROM organizations ORDER BY rowid DESC LIMIT 1"))
    ended = life.apply(Script())
    must(ended is Exit.STATE, f"ended with {ended}")


def short(life: Life) -> None:
    """The page of a list ends too soon."""
    life.wish = {f"dataset.d{n}": {"name": f"d{n}"} for n in range(25)}
    life.apply(Script())
    life.conditions.page = Paging(short={0: 10})
    must(life.apply(Script()) is Exit.OK, "the second apply did not end well")
    life.conditions.page = None
    life.require_converged()


def protected(life: Life) -> None:
    """What is protected leaves the stack."""
    life.wish = {
        "dataset.d": {"name": "d", "lifecycle": {"prevent_destroy": True}},
        "dataset.e": {"name": "e"},
    }
    life.apply(Script())
    life.wish = {"dataset.e": {"name": "e"}}
    must(life.apply(Script()) is Exit.GUARD, "it was not refused")


def held(life: Life) -> None:
    """Another apply is at work."""
    with life.store.locked():
        must(life.apply(Script()) is Exit.LOCKED, "two are at work")


def read_by_two(life: Life) -> None:
    """Two have read the state elsewhere, and one of them has begun since."""
    cell = Kept()
    first, second = (at(cell, life.folder / name)() for name in ("first", "second"))
    states = [store.load() for store in (first, second)]
    _, log = first.begin(states[0])
    try:
        second.begin(states[1])[1].close()
    except LockedError:
        return
    finally:
        log.close()
    raise Broken("two are at work")


def overtaken(life: Life, seconds: float = 60) -> None:
    """A holder sleeps after its first mutation for longer than others wait; they free the state and go on."""
    life.wish = {
        "dataset.d": {"name": "d"},
        "project.p": {"name": "p", "media_type": "IMAGE", "datasets": ["d"]},
    }
    cell = Kept()
    life.opened = at(cell, life.folder / "here")
    with pytest.MonkeyPatch.context() as patch:
        sleeper = Sleeper(patch, lambda: take_over(at(cell, life.folder / "there")()), seconds)
        ended = life.apply(sleeper)
    must(ended is Exit.STATE, f"ended with {ended}")
    begun = [body for body in sleeper.sent if b"mutation" in body][1:]
    must(not begun, f"{len(begun)} mutations were sent after it woke")


def overtaken_shortly(life: Life) -> None:
    """The same in two seconds, in which a write that was just made is no sign of anything."""
    overtaken(life, 2)


class Sleeper(Script):
    """Weather in which the machine falls asleep as its first mutation is on its way."""

    def __init__(self, patch: pytest.MonkeyPatch, meanwhile: Callable[[], None], seconds: float) -> None:
        super().__init__()
        self.patch, self.meanwhile, self.seconds, self.slept = patch, meanwhile, seconds, False

    def fault(self, body: bytes) -> str:
        if b"mutation" in body and not self.slept:
            self.slept = True
            self.meanwhile()
            woken = remote_log.now() + self.seconds
            self.patch.setattr(remote_log, "now", lambda: woken)
        return super().fault(body)


def saved_once(life: Life) -> None:
    """A plan that was saved is carried out, and then again."""
    life.stack.write_text(stack_text(DATASET))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(life.folder)
        patch.setenv("LBSTACK_VAR_hook", "whsec-12345678")
        for words in (
            ["apply", str(life.stack), "--auto-approve"],
            ["plan", str(life.stack), "--out", "p.json"],
            ["apply", "p.json"],
        ):
            must(command([*words, "--sandbox"]) == 0, f"{words[0]} did not end well")
        again = command(["apply", "p.json", "--sandbox"])
    must(again == Exit.STATE, f"the second time it ended with {again}")


def echoed(life: Life) -> None:
    """The service says back what it was sent."""
    life.wish = dict(WEBHOOK)
    said: list[str] = []
    life.hear = said.append
    life.apply(Script(("createWebhook", "echo")))
    must(bool(said), "nothing was said")
    must(not any("whsec" in text for text in said), "the secret was said")


def barred(life: Life) -> None:
    """The key ends with the first mutation."""
    life.wish = {f"dataset.d{n}": {"name": f"d{n}"} for n in range(12)}
    script = Script(*[("mutation", "401")] * 40)
    life.apply(script)
    sent = sum(b"mutation" in body for body in script.sent)
    must(sent <= 4, f"{sent} were sent")


def ambiguous(life: Life) -> None:
    """What was lost was never made, and two others look like it."""
    life.wish = dict(WEBHOOK)
    life.apply(Script(("createWebhook", "die")))
    row = life.rows.row("SELECT * FROM webhooks")
    assert row
    life.rows.insert("webhooks", {**row, "id": "c" + "1" * 24})
    must(life.apply(Script()) is Exit.UNKNOWN, "one was chosen")


def durable(life: Life) -> None:
    """Before anything is sent, what announces it is on the disk; what is renamed is there, and its name."""
    with watched() as watch:
        life.apply(watch)
    must(not watch.wrong, "; ".join(dict.fromkeys(watch.wrong)))


@dataclass
class Disk:
    """What is written and not yet on the disk."""

    unsynced: bool = False
    unnamed: bool = False


class Watch(Script):
    """Weather in which each request looks whether the disk has what was written before it."""

    def __init__(self) -> None:
        super().__init__()
        self.disk, self.wrong = Disk(), list[str]()

    def fault(self, body: bytes) -> str:
        if b"mutation" in body:
            self.wrong += ["something was sent that is announced nowhere"] if self.disk.unsynced else []
            self.wrong += ["something was sent before a name was durable"] if self.disk.unnamed else []
        return super().fault(body)


class watched:  # noqa: N801 - reads as what it is in a `with`
    """Look at what a process writes, by the calls it makes."""

    def __init__(self) -> None:
        self.watch, self.patch = Watch(), pytest.MonkeyPatch()

    def __enter__(self) -> Watch:
        disk, write, sync, replace = self.watch.disk, os.pwrite, os.fsync, os.replace

        def written(handle: int, data: Any, at: int) -> int:
            # The twin is waited for only when the journal itself has failed.
            disk.unsynced |= Path(f"/proc/self/fd/{handle}").readlink().suffix != ".twin"
            return write(handle, data, at)

        def synced(handle: int) -> None:
            sync(handle)
            if Path(f"/proc/self/fd/{handle}").is_dir():
                disk.unnamed = False
            else:
                disk.unsynced = False

        def replaced(*names: Any, **more: Any) -> None:
            replace(*names, **more)
            disk.unnamed = True

        for name, call in (("pwrite", written), ("fsync", synced), ("replace", replaced)):
            self.patch.setattr(os, name, call)
        return self.watch

    def __exit__(self, *_: object) -> None:
        self.patch.undo()


# -- mechanisms, each taken out ------------------------------------------------------------------------


async def _nothing(*_: Any, **__: Any) -> None:
    """Do nothing."""


def no_intent(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(journal.Journal, "before", _nothing)


def no_marker(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(recovering, "_bearing", lambda *_: [])


def sent_again(patch: pytest.MonkeyPatch) -> None:
    """As the vendor's own client does."""
    again = ApiWire._again
    patch.setattr(ApiWire, "_again", lambda self, on, send: again(self, (*on, OutcomeUnknown), send))


def unknown_is_refused(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(carry, "OutcomeUnknown", type("Never", (Exception,), {}))
    patch.setattr(applying, "OutcomeUnknown", type("Never", (Exception,), {}))


def no_settle(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(recovering.Patience, "left", lambda self, intent: 0.0)


def nothing_remembered(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Ledger, "_end", lambda self, intent: None)


def null_is_absent(patch: pytest.MonkeyPatch) -> None:
    judged = asking._reply

    def reply(*args: Any) -> Reply:
        try:
            return judged(*args)
        except ServiceError:
            return Reply(gone=True)

    patch.setattr(asking, "_reply", reply)


def no_canary(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(live.Identity, "check", lambda self, data: setattr(self, "user", "anybody"))


def list_is_absent(patch: pytest.MonkeyPatch) -> None:
    def listed(tracked: Any, pages: Any, nodes: Any, one: Any, node: Any = None) -> Iterator[Any]:
        (reply,) = yield [pages(0)]
        shown = {each["id"]: each for each in nodes(reply.data)}
        return {item.id: shown.get(item.id) for item in tracked if item.id}

    patch.setattr(reading, "listed_then_by_id", listed)


def no_guard(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(guards, "check", lambda *_, **__: None)


def no_lock(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Store, "locked", lambda self, timeout=0.0: nullcontext())


def no_swap(patch: pytest.MonkeyPatch) -> None:
    """Writes take the place of whatever is there, as those of other tools do."""
    patch.setattr(remote, "swap", lambda cell, data, expected, pause: cell.put(data, cell.get().version))


def no_fence(patch: pytest.MonkeyPatch) -> None:
    for name in ("FENCE", "FRESH", "ASLEEP"):
        patch.setattr(remote_log, name, 1e9)


def no_heart(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(remote_log, "ASLEEP", 1e9)


def no_nonce(patch: pytest.MonkeyPatch) -> None:
    bound = saved.bind
    patch.setattr(saved, "bind", lambda plan, state, *more: bound(plan, replace(state, spent=()), *more))


def one_look(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(live, "_send", live._send_once)


def no_redaction(patch: pytest.MonkeyPatch) -> None:
    import lbstack.api.answers as answers
    import lbstack.errors as errors

    for module in (answers, errors, outcomes):
        patch.setattr(module, "redacted", lambda text: text)


def no_bar(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(applying._Run, "barred", property(lambda self: False, lambda self, value: None))


def first_of_many(patch: pytest.MonkeyPatch) -> None:
    fitting = recovering._fitting
    patch.setattr(recovering, "_fitting", lambda *args, **more: fitting(*args, **more)[:1])


def no_path_rule(patch: pytest.MonkeyPatch) -> None:
    judged = outcomes._verdict

    def verdict(error: dict[str, Any], path: tuple[str, ...], data: Any) -> Any:
        return judged({**error, "path": list(path)}, path, data)

    patch.setattr(outcomes, "_verdict", verdict)


def blind_is_refused(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(carry, "_found_out", carry._find_out)


def no_fsync(patch: pytest.MonkeyPatch) -> None:
    class Os:
        def __getattr__(self, name: str) -> Any:
            return (lambda handle: None) if name == "fsync" else getattr(os, name)

    patch.setattr(files, "os", Os())


def no_dirfsync(patch: pytest.MonkeyPatch) -> None:
    for module in (files, journal):
        patch.setattr(module, "sync_folder", lambda folder: None)


MECHANISMS: dict[str, tuple[Patch, Callable[[Life], None]]] = {
    "intents before creates": (no_intent, lost("die")),
    "markers": (no_marker, lost("die")),
    "no second sending after a 5xx": (sent_again, lost("502 after")),
    "three outcomes": (unknown_is_refused, lost("502 after")),
    "settling": (no_settle, soon),
    "ended markers are remembered": (nothing_remembered, later),
    "null is not absent": (null_is_absent, null),
    "the canary": (no_canary, elsewhere),
    "a list proves no absence": (list_is_absent, short),
    "guards": (no_guard, protected),
    "the lock": (no_lock, held),
    "a second look for what is gone": (one_look, lagging),
    "the compare-and-swap": (no_swap, read_by_two),
    "the fence": (no_fence, overtaken),
    "the heart": (no_heart, overtaken_shortly),
    "the nonce of a saved plan": (no_nonce, saved_once),
    "redaction": (no_redaction, echoed),
    "an auth error ends the apply": (no_bar, barred),
    "exactly one candidate": (first_of_many, ambiguous),
    "an error below the root is no refusal": (no_path_rule, lost("refused below")),
    "who cannot look does not know": (blind_is_refused, unseen),
    "fsync": (no_fsync, durable),
    "fsync of the folder": (no_dirfsync, durable),
}


@pytest.mark.reliability
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_mechanism_that_is_missing_is_noticed(mechanism: str, tmp_path: Path, report: Report) -> None:
    disable, story = MECHANISMS[mechanism]
    assert _ends_well(story, tmp_path / "with") == ""
    with pytest.MonkeyPatch.context() as patch:
        disable(patch)
        noticed = _ends_well(story, tmp_path / "without")
    report(name=f"noticed without: {mechanism}", n=1, by=repr(noticed[:60]))
    assert noticed, f"nobody notices that there is no {mechanism}"


def _ends_well(story: Callable[[Life], None], folder: Path) -> str:
    """Nothing, or what was wrong in the end."""
    folder.mkdir()
    life = Life(folder, folder / "stack.yaml", 1, 2)
    life.wish = dict(DATASET)
    try:
        story(life)
    except Broken as broken:
        return str(broken)
    finally:
        life.close()
    return ""
