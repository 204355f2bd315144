"""Pages that lbstack keeps on a forge: how one is known again, and what it says.

A page is known by the hidden line at its beginning, never by its title, and only among those that this
run's own user wrote: what others paste into theirs is theirs.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from lbstack.errors import ConfigError, StateError, UsageError
from lbstack.redaction import LONG, redacted
from lbstack.render.marked import fence, hidden, shown, span
from lbstack.render.words import NO_CHANGES
from lbstack.stack.files import stack_files

LARGEST = {"github": 65_536, "gitlab": 1_000_000}
"""Characters of a comment or of an issue's body."""

NEAR = 1_000_000
"""Characters of a file among which a stack's name is looked for."""

HEAD = 20
"""Lines at the beginning of a page among which its hidden ones are."""

_MARK = re.compile(r"<!-- lbstack:(?P<what>plan|drift) (?P<name>[^\s<>][^<>\r\n]{0,1000}?) -->")
_DIGEST = re.compile(r"<!-- lbstack:digest (?P<text>\S+) -->")
_LETTERS = re.compile(r"1[.=][A-Za-z0-9_=-]*")
_NAMED = re.compile(r"^stack:[ \t]+[\"']?([^\s\"'#]{1,200})", re.MULTILINE)
_ANNOTATION = re.compile(r"::(error|warning|notice) ")
_QUICK = re.compile(r"^(\s*)/(?=[A-Za-z_])")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")


def marker(what: str, name: str) -> str:
    """The hidden line of a stack's page."""
    return hidden(what, name)


def titled(mark: str) -> str:
    """The name that a hidden line tells, as it is written there."""
    found = _MARK.fullmatch(mark)
    return found["name"] if found else ""


def planned_in(body: str) -> str:
    """The name of the stack whose plan a page is; empty where it is none."""
    found = _MARK.fullmatch(body.lstrip("\ufeff").split("\n", 1)[0].strip())
    return shown(found["name"]) if found and found["what"] == "plan" else ""


def marked(body: str, mark: str) -> bool:
    """Whether a page begins with this line."""
    return body.lstrip("\ufeff").split("\n", 1)[0].strip() == mark


def read_page(path: Path) -> str:
    """A page from its file, without any known secret."""
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is no text", "name the file that --markdown wrote") from None
    except FileNotFoundError:
        raise ConfigError(f"there is no file {path}", "write it with --markdown") from None
    return redacted(text, LONG)


def page_of(text: str, what: str, name: str) -> tuple[str, str]:
    """A page's hidden line, and the page with it; `name` takes the place of the name that it has."""
    first, _, rest = text.partition("\n")
    found = _MARK.fullmatch(first.strip())
    if found and found["what"] != what:
        raise UsageError(
            f"this is the page of a {found['what']}, not of a {what}", f"name what {what} --markdown wrote"
        )
    if not found and not name:
        raise UsageError("the file's first line does not say whose page it is", "give --stack NAME")
    mark = marker(what, name) if name or not found else found[0]
    return mark, f"{mark}\n{rest if found else text}"


def require_room(page: str, forge: str) -> None:
    """Refuse a page that the forge would refuse."""
    most = LARGEST[forge]
    if len(page) > most:
        raise UsageError(
            f"the page has {len(page):,} characters; {forge} takes {most:,}",
            f"write it with --max-bytes {most * 9 // 10 // 1000 * 1000}",
        )


def harmless(page: str) -> str:
    """The page without what GitLab would carry out: lines that begin as its commands do (``/close``)."""
    lines, inside = page.split("\n"), ""
    for at, line in enumerate(lines):
        fence_ = _FENCE.match(line)
        if inside:
            if fence_ and fence_[1].startswith(inside) and not line.strip(" `~"):
                inside = ""
        elif fence_:
            inside = fence_[1]
        else:
            lines[at] = _QUICK.sub(r"\1\\/", line)
    return "\n".join(lines)


def same(one: str, other: str) -> bool:
    """Whether two pages say the same; a forge may keep lines' ends its own way."""
    return [line.rstrip() for line in one.strip().splitlines()] == [
        line.rstrip() for line in other.strip().splitlines()
    ]


def tells_nothing(page: str) -> bool:
    """Whether a plan's page says that there is nothing to do."""
    head = page.split("```", 1)[0]
    return any(line.strip().strip("*") == NO_CHANGES for line in head.splitlines())


def digest_in(page: str) -> str:
    """The digest of what a plan's page shows. Raises `StateError` where it tells none."""
    for line in page.splitlines()[:HEAD]:
        if found := _DIGEST.fullmatch(line.strip()):
            told = shown(found["text"])
            if _LETTERS.fullmatch(told):
                return told
        if line.strip() and not line.startswith("<!--"):
            break  # what stands below is no longer what lbstack alone says
    if tells_nothing(page):
        return "1."  # which allows nothing to be done
    raise StateError(
        "the plan's comment tells no digest",
        "see what it says: what failed or was refused is approved by nobody",
    )


def failure(name: str, code: int, log: str, max_bytes: int = 60_000) -> str:
    """The page for a plan that could not be made, of at most so many bytes."""
    mark = marker("plan", name)
    head = f"### lbstack plan of {span(name)}\n\n**The plan failed (exit code {code}).** Nothing is approved."
    most = min(20_000, max_bytes)
    while True:
        page = f"{mark}\n\n{head}\n\n{quote(log, most)}\n"
        if len(page.encode("utf-8", "replace")) <= max_bytes or not most:
            return page
        most = most * 3 // 4  # a fence is longer than what it holds, where that is full of back-ticks


def quote(log: str, most: int = 20_000) -> str:
    """The end of what a command said, as a block that nothing in it breaks out of."""
    # What commands the CI service (an annotation) is for it alone, and said in words as well.
    lines = [line for line in redacted(log, LONG).strip().splitlines() if not _ANNOTATION.match(line)]
    kept: list[str] = []
    room = most
    for line in reversed(lines):
        need = len(line.encode("utf-8", "replace")) + 1
        if need > room and not kept:
            line = line.encode("utf-8", "replace")[: room // 2].decode("utf-8", "ignore") + "…"
        elif need > room:
            break
        room -= need
        kept.append(line)
    left = len(lines) - len(kept)
    return fence(
        [*([f"({left:,} lines before these are left out)"] if left else []), *reversed(kept)], "text"
    )


def name_of(path: Path) -> str:
    """The name of a stack that may be broken otherwise; empty where it does not tell one."""
    with suppress(OSError, UsageError, UnicodeDecodeError):
        for file in stack_files(path):
            with file.open(encoding="utf-8-sig") as lines:
                if found := _NAMED.search(lines.read(NEAR)):
                    return found[1]
    return ""
