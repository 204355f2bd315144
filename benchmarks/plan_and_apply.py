"""Plan and apply of whole stacks on the embedded sandbox, as a user runs them: one process a command.

    python benchmarks/plan_and_apply.py [100 1000 10000]

For each size: apply from empty, no-op plan (wall time of the whole process, best of three, and its
peak memory), requests of that plan as the sandbox counted them. The sandbox runs inside the
measured process, so its work is part of every figure. `python -c pass` is the unit of the ratio.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from stack_of import yaml_of

SECRET = {"LBSTACK_VAR_secret": "a-secret-of-the-benchmark"}
COUNT = """
import asyncio, os, sys
from pathlib import Path
from lbstack.connect import open_wire
from lbstack.session import Settings, load_graph, make_plan, open_store
settings = Settings(path=Path(sys.argv[1]), sandbox=True)
graph = load_graph(settings)
async def main():
    async with open_wire(settings) as wire:
        plan, _ = await make_plan(settings, graph, open_store(settings, graph.stack.name).load(), wire)
        assert plan.empty
        print(wire.requests)
asyncio.run(main())
"""


def timed(command: list[str], folder: Path) -> tuple[float, float]:
    """Seconds of wall time and MiB of peak memory of one process."""
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env={**os.environ, **SECRET}, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    divisor = 1024 if sys.platform == "linux" else 1024 * 1024
    return time.perf_counter() - started, usage.ru_maxrss / divisor


def measure(count: int) -> str:
    """One row of the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "stack.yaml").write_text(yaml_of(count))
        lbstack = [sys.executable, "-m", "lbstack"]
        nothing = min(timed([sys.executable, "-c", "pass"], folder)[0] for _ in range(5))
        apply, _ = timed([*lbstack, "apply", "stack.yaml", "--sandbox", "--auto-approve"], folder)
        plans = [
            timed([*lbstack, "plan", "stack.yaml", "--sandbox", "--detailed-exitcode"], folder)
            for _ in range(3)
        ]
        wall, memory = min(p[0] for p in plans), max(p[1] for p in plans)
        requests = subprocess.run(
            [sys.executable, "-c", COUNT, "stack.yaml"], cwd=folder, env={**os.environ, **SECRET},
            capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
        size = sum(file.stat().st_size for file in (folder / ".lbstack").iterdir())
    return (
        f"| {count:,} | {wall:.2f} s | {wall / nothing:.0f} × | {memory:.0f} MiB | {requests} "
        f"| {apply:.2f} s | {1000 * apply / count:.1f} ms | {size / 1e6:.1f} MB |"
    )


def main() -> None:
    """Print the table."""
    print(
        "| resources | no-op plan | / `python -c pass` | peak memory | requests "
        "| apply | a resource | on disk |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for count in [int(word) for word in sys.argv[1:]] or [100, 1000, 10000]:
        print(measure(count), flush=True)


if __name__ == "__main__":
    main()
