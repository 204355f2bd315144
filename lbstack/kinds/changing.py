"""What a kind sees while it changes something: the service, and the step that it carries out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from lbstack.values import Address

Fields = dict[str, Any]


class Wire(Protocol):
    """The service, as far as a kind may see it."""

    def server_now(self) -> float | None:
        """The service's time in seconds since 1970; None as long as no answer has told it."""

    async def query(self, document: str, **variables: Any) -> dict[str, Any]:
        """The data of a read. Raises `NotFound` or another `ServiceError`."""

    async def mutate(self, document: str, **variables: Any) -> dict[str, Any]:
        """The data of a document with one mutation. Raises `NotExecuted`, `OutcomeUnknown`, …"""

    async def mutate_experimental(self, document: str, **variables: Any) -> dict[str, Any]:
        """The same for what the service serves on its experimental path (API reference 5.1)."""

    async def rest(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of a REST call below the REST base; the same errors."""


class Work(Protocol):
    """One step being carried out."""

    @property
    def wire(self) -> Wire: ...

    @property
    def address(self) -> Address: ...

    @property
    def organization(self) -> str:
        """The organisation's id."""

    @property
    def owner(self) -> str:
        """Who the object belongs to, for people who see it in Labelbox: ``STACK/ADDRESS``."""

    @property
    def repeated(self) -> bool:
        """Whether an earlier create of this resource may have had its effect: its answer was lost."""

    @property
    def marker(self) -> str:
        """Random, 32 hex digits: what this step makes bears it, so that it can be found again."""

    @property
    def memory(self) -> Fields:
        """What this kind remembers of the resource beside its attributes; changes are kept."""

    @property
    def settle(self) -> float | None:
        """Seconds after which what was sent and not heard of is surely not carried out any more; None where
        nothing is waited for."""

    def made(self, id: str, **attributes: Any) -> None:
        """The object exists under this id: remember it durably before anything else is sent."""

    def renamed(self, id: str, *names: str) -> None:
        """The same thing is now known under another id (an invitation sent anew). These fields of it are as
        wanted; what the step changes stays in doubt until it ends."""

    def did(self, *names: str, **now: Any) -> None:
        """These fields are now as wanted, whatever becomes of the rest of the step; others are as told."""

    async def noted(self) -> None:
        """Wait until what memory notes now is known to the next run, on whichever machine that is. Raises
        where it cannot be: then nothing may be sent that only the note tells of."""

    async def once(self, name: str, make: Callable[[], Awaitable[Any]]) -> Any:
        """What `make` gives, asked for once an apply and shared by all its steps.

        For lists of a whole workspace, which each step would otherwise read anew.
        """

    def say(self, text: str) -> None:
        """A line for the reader of the apply."""
