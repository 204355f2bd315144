"""Findings as GitHub's workflow commands, which the forge shows beside the lines of a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lbstack.render.findings import Finding

MOST = 10
"""As many as GitHub shows of one step; of more the last says how many there are."""


def github(findings: Sequence[Finding], most: int = MOST) -> Iterator[str]:
    """``::error file=…,line=…,col=…::…``, one a line, errors first."""
    ordered = sorted(findings, key=lambda finding: not finding.error)
    shown = ordered if len(ordered) <= most else ordered[: most - 1]
    for finding in shown:
        yield _command(finding)
    if rest := len(ordered) - len(shown):
        level = "error" if any(finding.error for finding in ordered[len(shown) :]) else "warning"
        yield f"::{level} title=lbstack::{rest} more; the log of this step lists them all"


def _command(finding: Finding) -> str:
    level = "error" if finding.error else "warning"
    source = finding.source
    where = (
        f"file={_property(source.file)},line={source.line},col={source.column}," if source is not None else ""
    )
    return f"::{level} {where}title={_property(f'lbstack: {finding.rule}')}::{_data(finding.text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
