"""The sandbox on a loopback port, for whatever speaks HTTP: Labelbox's own SDK, curl, a browser."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from lbstack.sandbox.app import Sandbox, create_app
from lbstack.sandbox.hosts import is_loopback
from lbstack.sandbox.store import Store
from lbstack.sandbox.world import admin_key

LOOPBACK = "127.0.0.1"
# Longer than clients keep idle connections, so that none is closed under a request being sent.
_KEEP_ALIVE_SECONDS = 75
_DRAIN_SECONDS = 10
_THREADS = 8

Ready = Callable[[str, str], None]


class _Server(uvicorn.Server):
    """Says when it listens, and ends by returning rather than by re-raising the signal."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {each: signal.signal(each, self._stop) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.handle_exit(number, frame)


def serve(
    host: str = LOOPBACK,
    port: int = 0,
    data: Path | Store | None = None,
    on_ready: Ready | None = None,
    *,
    seed: int | None = None,
    allow_remote: bool = False,
) -> None:
    """Serve the workspace in ``data`` until SIGINT or SIGTERM, then finish what is under way.

    Port 0 takes any free one. ``on_ready`` is called with the GraphQL endpoint's URL and the API key
    once requests are answered. Addresses that others can reach are refused (ValueError) unless
    ``allow_remote``: whoever reaches the port owns what is in it.
    """
    with _listening(host, port, data, on_ready or _nobody, seed, allow_remote) as (server, listener):
        server.run(sockets=[listener])


@contextmanager
def running(
    data: Path | Store | None = None, port: int = 0, seed: int | None = None
) -> Iterator[tuple[str, str]]:
    """Serve in a thread for the length of a ``with`` block; yields the endpoint's URL and the API key."""
    ready = threading.Event()
    told: list[str] = []

    def on_ready(endpoint: str, key: str) -> None:
        told.extend((endpoint, key))
        ready.set()

    with _listening(LOOPBACK, port, data, on_ready, seed, False) as (server, listener):
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            if not ready.wait(timeout=15):
                raise RuntimeError("the sandbox did not start")
            yield told[0], told[1]
        finally:
            server.should_exit = True
            thread.join(timeout=_DRAIN_SECONDS + 5)


@contextmanager
def _listening(
    host: str, port: int, data: Path | Store | None, on_ready: Ready, seed: int | None, allow_remote: bool
) -> Iterator[tuple[_Server, socket.socket]]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if not allow_remote and not is_loopback(host):
        raise ValueError(f"{host} is not a loopback address: others could reach the sandbox")
    # Named in full: asyncio switches Nagle off only on sockets that say they are TCP.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        # Counted ids are the same every time only if one thing happens after the other.
        app = create_app(data, seed=seed, threads=_THREADS if seed is None else 0)
        sandbox: Sandbox = app.state.sandbox
        store = sandbox.store
        name = f"[{host}]" if family == socket.AF_INET6 else host
        endpoint = f"http://{name}:{listener.getsockname()[1]}/graphql"
        sandbox.start()
        try:
            yield _Server(_config(app), lambda: on_ready(endpoint, admin_key(store))), listener
        finally:
            sandbox.stop()
            if store is not data:
                store.close()


def _config(app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        log_level="warning",
        access_log=False,
        date_header=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )


def _nobody(endpoint: str, key: str) -> None:
    """Nobody asked to be told."""
