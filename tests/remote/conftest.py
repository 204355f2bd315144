"""A bucket and a forge for each test; the S3 server is one for all of a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.remote import buckets, forge
from tests.remote.clouds import EACH, cloud


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    with buckets.s3_server() as url:
        yield url


@pytest.fixture(params=EACH)
def bucket(request: pytest.FixtureRequest, s3: str) -> Iterator[buckets.Bucket]:
    with cloud(request.param, s3) as made:
        yield made


@pytest.fixture
def host() -> Iterator[forge.Forge]:
    with forge.forge() as made:
        yield made
