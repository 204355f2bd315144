"""The served sandbox as its clients meet it: a process of its own, asked over HTTP on loopback.

    python benchmarks/sandbox.py [--rows 100000] [--datasets 10000]

Requests a second of one client on one connection, and of eight at once, for a simple read and for a
create; a server that answers the same bytes without looking (same HTTP stack, no sandbox) is the unit of
the ratio. Then what the server's memory is with many data rows, and how long it takes to list many
datasets in pages of 100.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

READ = "query ($id: ID!) { dataset(where: {id: $id}) { id name description rowCount } }"
CREATE = 'mutation { createDataset(data: {name: "bench"}) { id } }'
PAGE = """query ($skip: Int!) { datasets(where: {deleted: false}, skip: $skip, first: 100) {
  id name description rowCount createdAt updatedAt } }"""
ROW = """mutation ($d: ID!) { createDataRow(data: {rowData: "https://a.example/1.jpg",
  dataset: {connect: {id: $d}}}) { id } }"""
SECONDS = 4.0
HTTP = httpx2.Client(timeout=60)
EMPTY = """
import sys, uvicorn
async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    body = b'{"data": {"dataset": {"id": "c0", "name": "bench", "description": "", "rowCount": 0}}}'
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
uvicorn.run(app, port=int(sys.argv[1]), log_level="error", access_log=False, lifespan="off")
"""
FILL = """
import sys
from pathlib import Path
from lbstack.sandbox.seed import open_store
store, table, dataset, count = open_store(Path(sys.argv[1])), sys.argv[2], sys.argv[3], int(sys.argv[4])
(row,) = store.rows("SELECT * FROM datasets WHERE id = ?", [dataset])
now = row["createdAt"]
if table == "datasets":
    sql = ("INSERT INTO datasets (id, organizationId, createdById, name, createdAt, updatedAt)"
           " VALUES (?,?,?,?,?,?)")
    rows = [(store.mint.cuid(), row["organizationId"], row["createdById"], f"d{n}", now, now)
            for n in range(count)]
else:
    sql = ("INSERT INTO data_rows (id, organizationId, createdById, datasetId, globalKey, rowData, createdAt,"
           " updatedAt, mediaAttributes) VALUES (?,?,?,?,?,?,?,?,'{}')")
    rows = [(store.mint.cuid(), row["organizationId"], row["createdById"], dataset, f"key-{n}",
             f"https://a.example/{n}.jpg", now, now) for n in range(count)]
with store.transaction():
    store.run_many(sql, rows)
    if table != "datasets":
        store.run("UPDATE datasets SET rowCount = rowCount + ? WHERE id = ?", [count, dataset])
"""


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, str, int]]:
    """A sandbox in a process: its endpoint, its key, its process id."""
    command = [sys.executable, "-m", "lbstack", "sandbox", "serve", "--port", "0", "--data", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout
    try:
        yield process.stdout.readline().strip(), process.stdout.readline().strip(), process.pid
    finally:
        process.terminate()
        process.wait()


async def rate(url: str, key: str, body: dict[str, Any], clients: int) -> float:
    """Requests a second that so many clients get answered, each over one connection.

    Raw sockets: a whole HTTP client would take as long as the server, and be measured with it.
    """
    parts, raw, done = urlsplit(url), json.dumps(body).encode(), 0
    head = f"POST {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\nauthorization: Bearer {key}\r\n"
    head += f"content-type: application/json\r\ncontent-length: {len(raw)}\r\n\r\n"
    ends = time.perf_counter() + SECONDS

    async def client() -> None:
        nonlocal done
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        while time.perf_counter() < ends:
            writer.write(head.encode() + raw)
            told = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(told.split(b"content-length:")[1].split(b"\r\n")[0])
            content = await reader.readexactly(length)
            assert b" 200 " in told and b'"errors"' not in content, content
            done += 1
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return done / SECONDS


def fill(folder: Path, table: str, dataset: str, count: int) -> None:
    """Put rows into a table, as an import of long ago would have left them."""
    subprocess.run([sys.executable, "-c", FILL, str(folder), table, dataset, str(count)], check=True)


def peak(pid: int) -> float:
    """MiB of memory that a process has had at the most (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def ask(url: str, key: str, document: str, **variables: Any) -> Any:
    """The value of the one root field."""
    body = {"query": document, "variables": variables}
    answer = HTTP.post(url, json=body, headers={"authorization": f"Bearer {key}"})
    return next(iter(answer.json()["data"].values()))


def bare(port: int, body: dict[str, Any], clients: int) -> float:
    """The rate of a server that does nothing."""
    process = subprocess.Popen([sys.executable, "-c", EMPTY, str(port)])
    try:
        url = f"http://127.0.0.1:{port}/graphql"
        for _ in range(100):
            try:
                HTTP.post(url, content=b"{}")
                break
            except httpx2.ConnectError:
                time.sleep(0.1)
        return asyncio.run(rate(url, "none", body, clients))
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--datasets", type=int, default=10_000)
    parser.add_argument("--port", type=int, default=18999)
    options = parser.parse_args()
    print("| what | figure | / a server that does nothing |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with served(folder) as (url, key, pid):
            dataset = ask(url, key, CREATE)["id"]
            read = {"query": READ, "variables": {"id": dataset}}
            for clients in (1, 8):
                unit = bare(options.port, read, clients)
                for what, body in (("a read", read), ("a create", {"query": CREATE})):
                    got = asyncio.run(rate(url, key, body, clients))
                    print(f"| {what}, {clients} client(s) | {got:,.0f} requests/s | {got / unit:.2f} × |")
            print(f"| memory after that | {peak(pid):.0f} MiB | |")
        fill(folder, "data_rows", dataset, options.rows)
        with served(folder) as (url, key, pid):
            started = time.perf_counter()
            ask(url, key, ROW, d=dataset)
            took = 1000 * (time.perf_counter() - started)
            count = ask(url, key, READ, id=dataset)["rowCount"]
            told = f"{peak(pid):.0f} MiB (one more row: {took:.0f} ms)"
            print(f"| memory with {count:,} data rows | {told} | |")
        fill(folder, "datasets", dataset, options.datasets)
        with served(folder) as (url, key, pid):
            started, found = time.perf_counter(), 0
            while page := ask(url, key, PAGE, skip=found):
                found += len(page)
            took = time.perf_counter() - started
            print(f"| {found:,} datasets listed, 100 a page | {took:.2f} s | |")


if __name__ == "__main__":
    main()
