"""What a job tells its CI service in files: a summary, outputs for later steps, a merge request's counts."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lbstack.errors import StateError, UsageError

SUMMARY = 1024 * 1024
"""Bytes of a step's summary; GitHub shows nothing at all of a longer one."""
KEPT = 200
"""Bytes for the line that says what was left out."""
FORMAT = 1
AGAIN = "plan again, with this version of lbstack"

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def read_document(path: Path) -> dict[str, Any]:
    """A plan's document: a saved plan, or what ``plan --json`` printed. Raises `StateError`."""
    from lbstack.plan import saved
    from lbstack.render.json import plan_document

    if saved.is_plan(path):
        return plan_document(saved.read_plan(path).plan)
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}", "write it with plan --out FILE") from None
    except (ValueError, RecursionError):
        raise StateError(f"{path} is neither a saved plan nor a plan's JSON", AGAIN) from None
    version = document.get("format_version") if isinstance(document, dict) else None
    if not isinstance(version, str) or version.split(".")[0] != str(FORMAT):
        raise StateError(f"{path} has format {version!r}, not {FORMAT}.x", AGAIN)
    _counts(document, path)
    return dict(document)


def _counts(document: Mapping[str, Any], path: Path | str = "the plan") -> dict[str, int]:
    counts = document.get("summary")
    names = ("import", "add", "change", "destroy", "forget")
    if not isinstance(counts, Mapping) or any(type(counts.get(name, 0)) is not int for name in names):
        raise StateError(f"{path} has no counts", AGAIN)
    return {name: counts.get(name, 0) for name in names}


def outputs(document: Mapping[str, Any]) -> dict[str, str]:
    """What later steps may want to know of a plan, by its name."""
    counts = _counts(document)
    changes = bool(document.get("applyable") or document.get("refusals"))
    return {
        "changes": "true" if changes else "false",
        **{name: str(counts[name]) for name in ("add", "change", "destroy", "import", "forget")},
        "digest": str(document.get("digest", "")),
        "stack": str(document.get("stack", "")),
    }


def terraform(document: Mapping[str, Any]) -> dict[str, int]:
    """The counts that GitLab shows at a merge request (``artifacts:reports:terraform``)."""
    counts = _counts(document)
    return {"create": counts["add"], "update": counts["change"], "delete": counts["destroy"]}


def output_lines(values: Mapping[str, str]) -> str:
    """Values in the words of ``GITHUB_OUTPUT``. Each ends with a word that nobody can have foreseen, so that
    none of them can begin another."""
    text = ""
    for name, value in values.items():
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name!r} is no name of an output")
        end = f"end_{secrets.token_hex(16)}"
        text += f"{name}<<{end}\n{value}\n{end}\n"
    return text


def sections(page: str) -> list[str]:
    """A page in pieces that can each be left out: parted by empty lines, but not inside of a block of code or
    of what is folded."""
    found: list[list[str]] = [[]]
    inside, depth = "", 0
    for line in page.split("\n"):
        fence = _FENCE.match(line)
        if inside:
            if fence and fence[1].startswith(inside) and not line.strip(" `~"):
                inside = ""
        elif fence:
            inside = fence[1]
        else:
            depth = max(0, depth + line.count("<details") - line.count("</details>"))
        if not line.strip() and not inside and not depth:
            found.append([])
        else:
            found[-1].append(line)
    return ["\n".join(lines) for lines in found if lines]


def fitted(pages: Sequence[str], room: int) -> str:
    """Pages in so many bytes: whole sections, from the first on, and a count of those left out."""
    parts = [part for page in pages for part in sections(page)]
    kept: list[str] = []
    left, skipped = room - KEPT, 0
    for part in parts:
        need = len(part.encode("utf-8", "replace")) + 2
        if skipped or need > left:
            skipped += 1
            continue
        left -= need
        kept.append(part)
    if skipped:
        kept.append(
            f"_{skipped:,} more section{'' if skipped == 1 else 's'} left out: a summary has {room:,} bytes._"
        )
    return "\n\n".join(kept) + "\n" if kept else ""


def write_summary(pages: Sequence[str], path: Path) -> None:
    """Add pages to a step's summary, as far as it has room."""
    written = path.stat().st_size if path.exists() else 0
    text = fitted(pages, SUMMARY - written - 1)
    with path.open("a", encoding="utf-8", errors="replace") as file:
        file.write(text + "\n" if text else "")


def write_outputs(values: Mapping[str, str], path: Path) -> None:
    """Add outputs to those of a step."""
    with path.open("a", encoding="utf-8", errors="replace") as file:
        file.write(output_lines(values))
