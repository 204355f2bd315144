"""The sandbox on a loopback port, for whatever speaks HTTP: Labelbox's own SDK, curl, a browser."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import uvicorn

from lbstack.sandbox.app import Sandbox, create_app
from lbstack.sandbox.conditions import Conditions
from lbstack.sandbox.hosts import is_loopback
from lbstack.sandbox.store import Store
from lbstack.sandbox.world import admin_key

if TYPE_CHECKING:
    from lbstack.sandbox.faults.proxy import Faults

LOOPBACK = "127.0.0.1"
# Longer than clients keep idle connections, so that none is closed under a request being sent.
_KEEP_ALIVE_SECONDS = 75
_DRAIN_SECONDS = 10
_BACKLOG = 2048
_THREADS = 8
# A request that is made to wait holds a thread; there must be one left for those that are not.
_FAULTY_THREADS = 512


@dataclass(frozen=True)
class Served:
    """Where a sandbox is served: the GraphQL endpoint's URL and an API key.

    One that can be told to misbehave has also the URL of its control port, and that port's token.
    """

    endpoint: str
    key: str
    control: str = ""
    token: str = ""


Ready = Callable[[str, str], None]
Told = Callable[[Served], None]


class PlaceError(Exception):
    """An address or a port that cannot be listened on; ``option`` is what the command line calls it."""

    def __init__(self, host: str, port: int, option: str, cause: OSError) -> None:
        super().__init__(f"{host}, port {port}, cannot be used: {cause.strerror or cause}")
        self.option = option


class _Server(uvicorn.Server):
    """Says when it listens, and ends by returning rather than by re-raising the signal.

    The control port (``faults``) is served beside it, in the same loop.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        on_ready: Callable[[], None],
        control: tuple[uvicorn.Server, socket.socket, Faults] | None = None,
    ) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._control = control
        self._controlling: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self._control:
            server, listener, _ = self._control
            self._controlling = asyncio.create_task(server._serve([listener]))
        self._on_ready()

    async def main_loop(self) -> None:
        """Look ten times a second whether to end, as a signal can only say; `end` says it at once."""
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), 0.1)

    def end(self) -> None:
        """End what another thread runs."""
        self.should_exit = True
        if self._loop:
            with suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._ended.set)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._control and self._controlling:
            server, _, faults = self._control
            faults.end()
            server.should_exit = True
            await self._controlling
        await super().shutdown(sockets)

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
    conditions: Conditions | None = None,
    faults: bool = False,
    control_port: int = 0,
    on_served: Told | None = None,
) -> None:
    """Serve the workspace in ``data`` until SIGINT or SIGTERM, then finish what is under way.

    Port 0 takes any free one. ``on_ready`` is called with the GraphQL endpoint's URL and the API key
    once requests are answered, ``on_served`` with all there is to know. Addresses that others can reach
    are refused (ValueError) unless ``allow_remote``: whoever reaches the port owns what is in it. With
    ``faults`` there is a control port too, always on loopback, on which the sandbox can be told to
    misbehave.
    """

    def told(served: Served) -> None:
        if on_ready:
            on_ready(served.endpoint, served.key)
        if on_served:
            on_served(served)

    if not allow_remote and not is_loopback(host):
        raise ValueError(f"{host} is not a loopback address: others could reach the sandbox")
    with _listening(host, port, data, told, seed, conditions, control_port if faults else None) as (
        server,
        listener,
    ):
        server.run(sockets=[listener])


@contextmanager
def running(
    data: Path | Store | None = None,
    port: int = 0,
    seed: int | None = None,
    conditions: Conditions | None = None,
) -> Iterator[tuple[str, str]]:
    """Serve in a thread for the length of a ``with`` block; yields the endpoint's URL and the API key."""
    with _running(data, port, seed, conditions, None) as served:
        yield served.endpoint, served.key


@contextmanager
def misbehaving(
    data: Path | Store | None = None, seed: int | None = None, conditions: Conditions | None = None
) -> Iterator[Served]:
    """Serve in a thread, with a control port, for the length of a ``with`` block."""
    with _running(data, 0, seed, conditions, 0) as served:
        yield served


@contextmanager
def _running(
    data: Path | Store | None,
    port: int,
    seed: int | None,
    conditions: Conditions | None,
    control_port: int | None,
) -> Iterator[Served]:
    ready = threading.Event()
    told: list[Served] = []

    def on_ready(served: Served) -> None:
        told.append(served)
        ready.set()

    with _listening(LOOPBACK, port, data, on_ready, seed, conditions, control_port) as (server, listener):
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            if not ready.wait(timeout=15):
                raise RuntimeError("the sandbox did not start")
            yield told[0]
        finally:
            server.end()
            thread.join(timeout=_DRAIN_SECONDS + 5)


@contextmanager
def _listening(
    host: str,
    port: int,
    data: Path | Store | None,
    on_ready: Told,
    seed: int | None,
    conditions: Conditions | None,
    control_port: int | None,
) -> Iterator[tuple[_Server, socket.socket]]:
    with ExitStack() as stack:
        listener = stack.enter_context(_bound(host, port, "--port"))
        faulty = control_port is not None
        # Counted ids are the same every time only if one thing happens after the other.
        threads = _FAULTY_THREADS if faulty else _THREADS if seed is None else 0
        app: Any = create_app(data, seed=seed, threads=threads, conditions=conditions)
        sandbox: Sandbox = app.state.sandbox
        store = sandbox.store
        if store is not data:
            stack.callback(store.close)
        sandbox.start()
        stack.callback(sandbox.stop)
        endpoint, control = f"{_address(listener)}/graphql", None
        served = Served(endpoint, "")
        if control_port is not None:
            aside = stack.enter_context(_bound(LOOPBACK, control_port, "--control-port"))
            app, server, faults = _misbehaving(app, sandbox)
            control = server, aside, faults
            served = Served(endpoint, "", _address(aside), faults.token)

        def ready() -> None:
            on_ready(replace(served, key=admin_key(store)))

        yield _Server(_config(app, faulty), ready, control), listener


def _misbehaving(app: Any, sandbox: Sandbox) -> tuple[Any, uvicorn.Server, Faults]:
    """Put what can go wrong around an application; return it, and the server of the control port."""
    from lbstack.sandbox.faults.control import control
    from lbstack.sandbox.faults.proxy import Faults, Proxy

    faults = Faults(sandbox)
    return Proxy(app, faults), uvicorn.Server(_config(control(faults))), faults


def _bound(host: str, port: int, option: str) -> socket.socket:
    """Listen from now on, so that nobody else can at the same place."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named in full: asyncio switches Nagle off only on sockets that say they are TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise PlaceError(host, port, option, error) from error
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _config(app: Any, faulty: bool = False) -> uvicorn.Config:
    http: Any = "auto"
    if faulty:
        from lbstack.sandbox.faults.wire import Protocol

        http = Protocol
    return uvicorn.Config(
        app,
        http=http,
        lifespan="off",
        ws="none",
        log_level="warning",
        access_log=False,
        date_header=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )
