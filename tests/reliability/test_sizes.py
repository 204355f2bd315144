"""The run of each commit and the full one take the sizes that are meant for them."""

from __future__ import annotations

import pytest

from tests.reliability import sizes

NIGHTLY = sizes.size(False, True)


@pytest.mark.parametrize(
    ("markers", "full"),
    [
        ("reliability", False),
        ("nightly", True),
        ("reliability or nightly", True),
        ("reliability and not nightly", False),
        ("not slow and not reliability and not nightly", False),
    ],
)
def test_what_is_selected_says_how_much_is_done(
    markers: str, full: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizes, "_nightly", False)
    sizes.be(markers)
    assert sizes.size(False, True) is full


def test_sizes_are_known_when_the_tests_are_read() -> None:
    assert sizes.size(False, True) is NIGHTLY
