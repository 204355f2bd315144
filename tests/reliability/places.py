"""Where a battery's state lies: beside the stack, in a bucket of anybody's, or behind a forge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from lbstack.session import Settings, open_store
from lbstack.state.remote import RemoteStore
from lbstack.state.store import Store
from tests.reliability.bench import Bench
from tests.reliability.sizes import size
from tests.remote.buckets import Bucket, surrounded
from tests.remote.clouds import CLOUDS, cloud
from tests.remote.forge import Forge, forge
from tests.remote.misbehaving import Answer, Server

REMOTE = (*size(CLOUDS[:1], CLOUDS), "forge")
PLACES = ("local", *REMOTE)


@dataclass
class Place:
    """A place, and the server in front of it that can be told to misbehave."""

    bench: Bench
    url: str
    environ: dict[str, str]
    server: Server | None = None
    bucket: Bucket | None = None

    @property
    def write(self) -> str:
        return "PUT" if self.bucket else "POST"

    @property
    def expired(self) -> Answer:
        """What is answered to whom it no longer knows."""
        return self.bucket.words.expired if self.bucket else Answer(401)

    def store(self, stack: str) -> Store | RemoteStore:
        """The state, as this process sees it."""
        environ = {**self.environ, "LBSTACK_STATE": self.url}
        return open_store(Settings(endpoint=self.bench.served.endpoint, environ=environ), stack)


@contextmanager
def state_in(name: str, bench: Bench, s3: str) -> Iterator[Place]:
    """Let the bench's commands keep their state in this place."""
    opened = cloud(name, s3) if name in CLOUDS else forge() if name == "forge" else nullcontext()
    with opened as made:
        place = Place(bench, str(bench.state), {})
        if isinstance(made, Bucket):
            place = Place(bench, made.url(), made.environ, made.server, made)
        elif isinstance(made, Forge):
            place = Place(bench, made.url(), made.environ, made.server)
        before = dict(bench.env)
        bench.env |= {**place.environ, "LBSTACK_STATE": place.url}
        with surrounded(place.environ):
            yield place
        bench.env.clear()
        bench.env.update(before)
