"""What lies beside a stack is never run, and a process that holds secrets leaves nothing of its memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lbstack.version import __version__
from tests.cli.conftest import Cli

PLANTED = [
    "yaml", "click", "httpx2", "gql", "pydantic", "json", "logging", "socket", "sqlite3", "resource", "ctypes", "rich",
    "sitecustomize", "usercustomize", "traceback", "hmac", "deepdiff", "tenacity", "filelock", "runpy", "redaction",
]  # fmt: skip
SCRIPT = "import sys\nfrom lbstack.__main__ import main\nsys.exit(main())\n"


@pytest.mark.parametrize("way", ["python -m", "the lbstack command"])
def test_no_module_beside_a_stack_is_imported(
    cli: Cli, tmp_path_factory: pytest.TempPathFactory, way: str
) -> None:
    mark = cli.folder / "imported"
    for name in PLANTED:
        (cli.folder / f"{name}.py").write_text(
            f"open({str(mark)!r}, 'a').write({name!r} + ' ')\nraise SystemExit(99)\n"
        )
    command = [sys.executable, "-m", "lbstack"]
    if way != "python -m":  # as pip makes it: the folder of the script is searched, not this one
        script = tmp_path_factory.mktemp("bin") / "lbstack"
        script.write_text(SCRIPT)
        command = [sys.executable, str(script)]
    for words in (["--version"], ["plan", "--sandbox"], ["apply", "--sandbox", "--auto-approve"]):
        done = subprocess.run([*command, *words], cwd=cli.folder, env=cli.env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert not mark.exists(), mark.read_text()
        assert __version__ in done.stdout or "signs" in done.stdout


MEMORY = """\
import ctypes, resource, sys
from lbstack.cli.main import run
code = run(["validate"])
dumpable = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) if sys.platform == "linux" else 0
print(code, *resource.getrlimit(resource.RLIMIT_CORE), dumpable)
"""


def test_the_memory_of_a_command_is_not_dumped(cli: Cli) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEMORY], cwd=cli.folder, env=cli.env, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "0 0 0 0", done.stdout + done.stderr


LOGGING = """\
import logging
logging.basicConfig(level=1, filename={log!r}, format="%(name)s %(levelname)s %(message)s %(args)s")
logging.getLogger("gql").setLevel(1); logging.getLogger("httpcore2.http11").setLevel(1)
"""


def test_no_logging_however_loud_writes_bodies_or_headers_down(served: Cli, tmp_path: Path) -> None:
    path = tmp_path / "path"
    path.mkdir()
    log = tmp_path / "log"
    (path / "sitecustomize.py").write_text(LOGGING.format(log=str(log)))
    served.write("""\
stack: a
variables: {s: {secret: true}}
datasets: {d: {name: a-name-that-is-sent}}
webhooks: {w: {url: 'https://a.example', topics: [LABEL_CREATED], secret: '${var.s}'}}
""")
    env = {
        "PYTHONPATH": f"{path}:{served.env.get('PYTHONPATH', '')}",
        "LBSTACK_DEBUG": "1",
        "LBSTACK_VAR_s": "canary-in-a-body",
    }
    done = served("apply", "--auto-approve", env=env)
    assert done.returncode == 0, done.stderr
    told = log.read_text()
    assert "asyncio" in told  # so it was set up
    for word in (
        "canary",
        "a-name-that-is-sent",
        "Bearer",
        served.env["LABELBOX_API_KEY"],
        "mutation",
        "gql",
        "httpcore",
    ):
        assert word not in told
