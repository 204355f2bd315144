"""The bar of a refresh: on a terminal, when it takes long, whether or not an answer has come."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr

import pytest

from lbstack.render import progress


class Terminal(io.StringIO):
    """Somebody looks at what is written here; `drawn` is set as soon as a bar is."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn = threading.Event()

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        done = super().write(text)
        if "Reading the workspace" in self.getvalue():
            self.drawn.set()
        return done


@contextmanager
def bar(terminal: Terminal) -> Iterator[Callable[[int, int], None]]:
    """A bar on that terminal; pytest sets the streams anew for the body of each test."""
    with redirect_stderr(terminal), progress.refresh_bar() as show:
        yield show


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    made = Terminal()
    monkeypatch.setattr(progress, "PATIENCE", 0.01)
    monkeypatch.setenv("TERM", "xterm")
    for name in ("CI", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    return made


def test_it_appears_though_no_answer_came(terminal: Terminal) -> None:
    with bar(terminal):
        assert terminal.drawn.wait(30)


def test_it_tells_how_far_it_is(terminal: Terminal) -> None:
    with bar(terminal) as show:
        show(3, 7)
        assert terminal.drawn.wait(30)
        show(4, 7)
    assert "3/7" in terminal.getvalue()
    assert "4/7" in terminal.getvalue()


def test_what_is_quick_draws_nothing(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 60.0)
    with bar(terminal) as show:
        show(1, 1)
    assert terminal.getvalue() == ""
    assert not any(isinstance(thread, threading.Timer) for thread in threading.enumerate())


@pytest.mark.parametrize("watched", [False, True], ids=["no terminal", "CI"])
def test_where_nobody_watches_nothing_is_drawn(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, watched: bool
) -> None:
    if watched:
        monkeypatch.setenv("CI", "true")
    else:
        monkeypatch.setattr(terminal, "isatty", lambda: False)
    with bar(terminal) as show:
        show(1, 2)
        assert not any(isinstance(thread, threading.Timer) for thread in threading.enumerate())
    assert terminal.getvalue() == ""
