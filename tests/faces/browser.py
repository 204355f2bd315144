"""A real Chromium without a window, and a server on loopback that sees all that it asks for.

A page is looked at from outside: beside it, from the same server, lies a page of the test's own that holds it
in a frame, does what a reader would, and writes down what it finds.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OWN = re.compile(r"(google|googleapis|gstatic|gvt1)\.com(:\d+)?(/|$)")
"""What Chromium asks for by itself, whatever page it shows."""

HARNESS = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body>
<iframe id="frame" src="/page.html" width="WIDTH" height="900"></iframe>
<script>
const frame = document.getElementById("frame");
frame.addEventListener("load", () => {
  let found;
  try {
    const page = frame.contentDocument, window = frame.contentWindow;
    found = ((page, window) => { SCRIPT })(page, window);
  } catch (error) { found = { error: String(error) }; }
  const told = document.createElement("output");
  told.textContent = JSON.stringify(found);
  document.body.append(told);
});
</script>"""


@dataclass
class Seen:
    """What a browser found: what the test's script gave, what the console said, what was asked for."""

    found: Any
    console: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


def look(page: str, script: str, folder: Path, width: int = 1200, *flags: str, scripts: bool = True) -> Seen:
    """Show a page in a frame, run a script on it from outside, and tell what came of it. Without `scripts` the
    page's own do not run."""
    harness = HARNESS.replace("WIDTH", str(width)).replace("SCRIPT", script)
    if not scripts:
        harness = harness.replace('<iframe id="frame"', '<iframe id="frame" sandbox="allow-same-origin"')
    with served({"/page.html": page, "/": harness}) as (port, asked):
        done = chromium(
            folder, port, "--virtual-time-budget=4000", "--dump-dom", *flags, f"http://127.0.0.1:{port}/"
        )
    told = re.search(r"<output>(.*?)</output>", done.stdout, re.DOTALL)
    assert told, done.stderr
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return Seen(json.loads(html.unescape(told[1])), console, asked)


def chromium(folder: Path, proxy: int, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Chromium once; whatever it asks for, it asks our server."""
    if CHROMIUM is None:
        pytest.skip("no chromium is installed")
    return subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
            "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-extensions", "--disable-default-apps", "--enable-logging=stderr", "--v=0",
            f"--user-data-dir={folder / 'profile'}", f"--proxy-server=127.0.0.1:{proxy}",
            "--proxy-bypass-list=<-loopback>", *words,
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip


@contextmanager
def served(pages: dict[str, str]) -> Iterator[tuple[int, list[str]]]:
    """Pages on loopback, and the list of all that is asked for; others than these are not there."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = re.sub(r"^http://127\.0\.0\.1:\d+", "", self.path)
            if not OWN.search(path):
                asked.append(path)
            body = pages.get(path, "").encode()
            self.send_response(200 if path in pages else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_CONNECT(self) -> None:
            if not OWN.search(self.path):
                asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1], asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
