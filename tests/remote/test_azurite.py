"""Azure's own emulator says of each write what `azure` says. It is tried where ``azurite-blob`` is installed:
``npm install --global azurite``."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import httpx2
import pytest

from lbstack.errors import StackError
from lbstack.state import remote_keys
from lbstack.state.cell import read, swap
from lbstack.state.remote_objects import ObjectCell
from tests import loopback
from tests.remote import azure
from tests.remote.buckets import BUCKET, Bucket, surrounded
from tests.remote.misbehaving import Asked

PROGRAM = shutil.which("azurite-blob")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(PROGRAM is None, reason="azurite-blob is not installed")]


@pytest.fixture
def emulated() -> Iterator[dict[str, str]]:
    """The emulator with one empty container, and the way there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [
        "--blobHost",
        "127.0.0.1",
        "--blobPort",
        str(port),
        "--inMemoryPersistence",
        "--disableTelemetry",
    ]
    account = {"AZURITE_ACCOUNTS": f"{azure.ACCOUNT}:{azure.KEY}"}
    with subprocess.Popen(
        [str(PROGRAM), *words], env={**os.environ, **account}, stdout=subprocess.DEVNULL
    ) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            contain(url)
            yield {
                "AZURE_STORAGE_ACCOUNT_NAME": azure.ACCOUNT,
                "AZURE_STORAGE_ACCOUNT_KEY": azure.KEY,
                "AZURE_STORAGE_ENDPOINT": f"{url}/{azure.ACCOUNT}",
            }
        finally:
            process.terminate()


def contain(url: str, patience: float = 60) -> None:
    """Make the container, as soon as anybody answers."""
    path = f"/{azure.ACCOUNT}/{BUCKET}?restype=container"
    headers = {"x-ms-version": azure.API, "date": formatdate(usegmt=True), "content-length": "0"}
    signed = azure.signature(azure.text_of(Asked("PUT", path, b"", headers)))
    headers["authorization"] = f"SharedKey {azure.ACCOUNT}:{signed}"
    ends = time.monotonic() + patience
    with loopback.client(timeout=30) as client:
        while True:
            try:
                assert client.put(url + path, headers=headers).status_code == 201
                return
            except httpx2.TransportError:
                assert time.monotonic() < ends, "the emulator does not start"
                time.sleep(0.1)


def story(environ: dict[str, str]) -> list[Any]:
    """What each of a cell's requests ends in."""
    told: list[Any] = []
    with surrounded(environ):
        cell = ObjectCell(f"az://{BUCKET}/team/state.json", environ)

        def put(mode: Any, data: bytes = b"x") -> Any:
            try:
                result = cell._obstore.put(cell._store, cell._key, data, mode=mode, use_multipart=False)
            except cell._errors.BaseError as error:
                told.append(remote_keys.told(error))
                return None
            told.append("put")
            return {"e_tag": result["e_tag"]}

        told.append(cell.get().data)
        put({"e_tag": '"0x8D0000000000000"'})
        first = put("create", b"one")
        put("create")
        second = put(first, b"two")
        put(first)
        told.append(cell.get().data)
        told.append(cell.get().version.tag == second["e_tag"])  # type: ignore[union-attr]
        put("overwrite", b"three")
        put(second)
        cell.drop(b"three")
        told.append(cell.get().data)
        for url, keys in (
            ("az://nowhere/x", environ),
            (cell.where, {**environ, "AZURE_STORAGE_ACCOUNT_KEY": azure.OTHER_KEY}),
        ):
            with surrounded(keys), pytest.raises(StackError) as caught:
                ObjectCell(url, keys).get()
            told.append((type(caught.value), str(caught.value).partition(" Forbidden")[0]))
    return told


@pytest.mark.parametrize("bucket", ["azure"], indirect=True)
def test_the_emulator_and_the_azure_of_these_tests_say_the_same(
    emulated: dict[str, str], bucket: Bucket
) -> None:
    told = story(emulated)
    assert told == story(bucket.environ)
    assert told[:4] == [
        None,
        "412 Precondition Failed, ConditionNotMet",
        "put",
        "409 Conflict, BlobAlreadyExists",
    ]


def test_a_signature_that_the_emulator_takes_opens_it(emulated: dict[str, str]) -> None:
    environ = {**emulated, "AZURE_STORAGE_SAS_TOKEN": azure.shared()}
    del environ["AZURE_STORAGE_ACCOUNT_KEY"]
    with surrounded(environ):
        cell = ObjectCell(f"az://{BUCKET}/team/state.json", environ)
        version = swap(cell, b"one", None)
        assert read(cell).version == version
        cell.drop(b"one")
        assert read(cell).data is None
