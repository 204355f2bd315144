"""Random wishes, and how many of them a law looks at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from lbstack.values import Address, Ref, Secret, Template
from tests.laws.world import Wish

T = TypeVar("T")
NIGHTLY = "nightly"
MANY = ("battery", NIGHTLY)


FEW = 6
"""By day a law is held to each so many-th of its examples: the battery has them all, and more."""


def law(examples: int = 60) -> Callable[[T], T]:
    """How a law is held: the same few examples each time by day, the same many with
    ``--hypothesis-profile=battery``, and new ones with ``nightly``."""
    profile = settings.get_current_profile_name()
    many = profile in MANY
    return settings(
        max_examples=settings.get_profile(profile).max_examples if many else examples // FEW,
        derandomize=profile != NIGHTLY,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


CANARY = "s3cr3t-canary"
NUMBERS = st.integers(0, 2)
TEXTS = st.sampled_from(["", "one", "two", 'it\'s "odd"\n'])
SHAPES = st.sampled_from(["round", "square"])
PARTS = st.lists(st.sampled_from("xyz"), unique=True)
SECRETS = st.sampled_from([Secret(f"{CANARY}-{n}", f"token_{n}") for n in range(2)])


@st.composite
def wishes(draw: Any, keys: str = "abcde", least: int = 0) -> Wish:
    """A stack of things that refer to earlier ones, and of rocks that some wait for, in any order.

    Fields that refer are always written: what is no longer managed would stay as it is, and keep
    what it refers to from being deleted, as it should.
    """
    names = draw(st.permutations(keys))[: draw(st.integers(least, len(keys)))]
    rocks = draw(st.lists(st.sampled_from(["p", "q"]), unique=True))
    wish: Wish = {f"rock.{key}": {"number": draw(NUMBERS), "ready": draw(st.booleans())} for key in rocks}
    for index, name in enumerate(names):
        wish[f"thing.{name}"] = _thing(draw, names[:index], rocks)
    order = draw(st.permutations(list(wish)))
    return {address: wish[address] for address in order}


def _thing(draw: Any, earlier: list[str], rocks: list[str]) -> dict[str, Any]:
    other = st.sampled_from([None, *earlier])
    body = {
        "shape": draw(SHAPES),
        "link": draw(other),
        "home": draw(other),
        "friends": draw(st.lists(st.sampled_from(earlier), unique=True)) if earlier else [],
        "rock": draw(st.sampled_from([None, *rocks])),
        "text": draw(TEXTS),
    }
    if earlier and draw(st.booleans()):
        said = Ref(Address("thing", draw(st.sampled_from(earlier))), draw(st.sampled_from(["stamp", "text"])))
        body["text"] = Template((said, "!"))
    optional = {"number": NUMBERS, "parts": PARTS, "secret": SECRETS}
    for name, values in optional.items():
        if draw(st.booleans()):
            body[name] = draw(values)
    return body


def things(wish: Wish) -> set[str]:
    """The addresses of a wish that a service can be rid of again."""
    return {address for address in wish if address.startswith("thing.")}
