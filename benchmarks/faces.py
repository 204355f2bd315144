"""Every face of a large plan: seconds of one core and peak memory, in a process of its own.

    python benchmarks/faces.py [5000]

A row a face: what drawing it takes once the plan is made, libraries that only it needs among that, and the
peak of a process that does only that, the plan among it. The last row draws all of them in one process, one
after the other, as one command does.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

FACES = ("text", "json", "markdown", "html")


def drawn(face: str) -> Callable[[object], str]:
    """What draws a face."""
    from lbstack.session import dumps

    if face == "text":
        from lbstack.render.text import plan_lines

        return lambda plan: "".join(f"{line}\n" for line, _ in plan_lines(plan))  # type: ignore[arg-type]
    if face == "json":
        from lbstack.render.json import plan_document

        return lambda plan: dumps(plan_document(plan))  # type: ignore[arg-type]
    if face == "markdown":
        from lbstack.render.markdown import plan_markdown

        return plan_markdown  # type: ignore[return-value]
    from lbstack.render.html import plan_html

    return plan_html  # type: ignore[return-value]


def one(count: int, faces: list[str]) -> None:
    """Draw faces of a plan and print what it took."""
    from tests.faces.plans import large

    plan = large(count)
    started, size = time.process_time(), 0
    for face in faces:
        size += len(drawn(face)(plan).encode())
    print(json.dumps([time.process_time() - started, peak(), size]))


def peak() -> float:
    """The most MiB that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)


def nothing() -> float:
    """Seconds of one core that ``python -c pass`` takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    if len(sys.argv) > 2:
        one(count, sys.argv[2:])
        return
    unit = min(nothing() for _ in range(9))
    print(f"| {count:,} changes | seconds | / `python -c pass` | peak memory | size |")
    print("|---|---|---|---|---|")
    for faces in [*([face] for face in FACES), list(FACES)]:
        command = [sys.executable, __file__, str(count), *faces]
        runs = [
            json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            for _ in range(5)
        ]
        seconds, memory, size = min(run[0] for run in runs), max(run[1] for run in runs), runs[0][2]
        name = faces[0] if len(faces) == 1 else "all in one run"
        told = f"{seconds:.2f} s | {seconds / unit:.0f} × | {memory:.0f} MiB | {size / 1e6:.1f} MB"
        print(f"| {name} | {told} |", flush=True)


if __name__ == "__main__":
    main()
