"""The way to a remote state: what its address means, and who comes."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Mapping

from lbstack.errors import UsageError
from lbstack.state.cell import Cell


def open_cell(url: str, environ: Mapping[str, str]) -> Cell:
    """The cell at an address, by its scheme."""
    scheme = url.partition("://")[0]
    if scheme in ("http", "https"):
        from lbstack.state.remote_http import HttpCell

        return HttpCell(url, environ)
    from lbstack.state.remote_objects import SCHEMES, ObjectCell

    if scheme not in SCHEMES:
        raise UsageError(
            f"--state {scheme}://… is nothing that a state can lie in",
            "write a path, s3://BUCKET/KEY, gs://BUCKET/KEY, az://CONTAINER/KEY or https://HOST/PATH",
        )
    return ObjectCell(url, environ)


def whoami(environ: Mapping[str, str]) -> str:
    """This run, for whoever finds the state locked by it: where to look whether it is alive."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"user {os.getuid()}"
    job = environ.get("CI_JOB_URL", "")
    if not job and environ.get("GITHUB_RUN_ID"):
        job = "/".join(environ.get(f"GITHUB_{n}", "") for n in ("SERVER_URL", "REPOSITORY"))
        job += f"/actions/runs/{environ['GITHUB_RUN_ID']}"
    return f"{user}@{socket.gethostname()}, {job or f'process {os.getpid()}'}"
