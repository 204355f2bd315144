"""The service's clock: told by its answers, moved on by a clock that cannot jump."""

from __future__ import annotations

import pytest
from starlette.responses import JSONResponse

from lbstack.api.clock import ServiceClock, seconds_of
from lbstack.api.wire import ApiWire
from tests.api.test_wire import FINE, READ, Service

DATE, EPOCH = "Sun, 06 Nov 1994 08:49:37 GMT", 784111777.0


def test_it_goes_on_from_what_was_told_last() -> None:
    seconds = [100.0]
    clock = ServiceClock(lambda: seconds[0])
    assert clock.now() is None
    clock.heard(DATE)
    assert clock.now() == EPOCH
    seconds[0] += 7
    assert clock.now() == EPOCH + 7
    clock.heard("no date")
    assert clock.now() == EPOCH + 7
    clock.heard("Sun, 06 Nov 1994 08:50:00 GMT")
    assert clock.now() == EPOCH + 23


@pytest.mark.parametrize(
    "text", ["", "now", "Sun, 99 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 99999 08:49:37 GMT", "1"]
)
def test_what_is_no_date_tells_nothing(text: str) -> None:
    assert seconds_of(text) is None


def test_the_wire_hears_it_from_any_answer() -> None:
    async def told(wire: ApiWire) -> float | None:
        await wire.query(READ)
        return wire.server_now()

    assert Service(FINE).asked(told) is None
    now = Service(JSONResponse({"data": {"a": 1}}, headers={"date": DATE})).asked(told)
    assert EPOCH <= now < EPOCH + 60
