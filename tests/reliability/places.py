"""Where a battery's state lies: beside the stack, in a bucket, or behind a forge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from lbstack.session import Settings, open_store
from lbstack.state.remote import RemoteStore
from lbstack.state.store import Store
from tests.reliability.bench import Bench
from tests.remote.buckets import Bucket, bucket, surrounded
from tests.remote.forge import Forge, forge
from tests.remote.misbehaving import Server

PLACES = ("local", "bucket", "forge")


@dataclass
class Place:
    """A place, and the server in front of it that can be told to misbehave."""

    bench: Bench
    url: str
    environ: dict[str, str]
    server: Server | None = None

    def store(self, stack: str) -> Store | RemoteStore:
        """The state, as this process sees it."""
        environ = {**self.environ, "LBSTACK_STATE": self.url}
        return open_store(Settings(endpoint=self.bench.served.endpoint, environ=environ), stack)


@contextmanager
def state_in(name: str, bench: Bench, s3: str) -> Iterator[Place]:
    """Let the bench's commands keep their state in this place."""
    with bucket(s3) if name == "bucket" else forge() if name == "forge" else nullcontext() as made:
        place = Place(bench, str(bench.state), {})
        if isinstance(made, (Bucket, Forge)):
            place = Place(bench, made.url(), made.environ, made.server)
        before = dict(bench.env)
        bench.env |= {**place.environ, "LBSTACK_STATE": place.url}
        with surrounded(place.environ):
            yield place
        bench.env.clear()
        bench.env.update(before)
