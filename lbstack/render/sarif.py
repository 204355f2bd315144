"""SARIF 2.1.0: findings at file, line and column, for code scanning."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from lbstack.render.findings import RULES, Finding
from lbstack.render.words import safe
from lbstack.version import __version__

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif(findings: Sequence[Finding]) -> str:
    """One run, its rules, a result for each finding; without any, the run says that all is well."""
    from sarif_pydantic import Sarif

    rules = [
        {"id": f"lbstack/{name}", "name": name.capitalize(), "shortDescription": {"text": f"{text}."}}
        for name, text in RULES.items()
    ]
    driver = {"name": "lbstack", "version": __version__, "rules": rules}
    results = [_result(finding) for finding in findings]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    whole = Sarif.model_validate({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})
    return str(whole.model_dump_json(by_alias=True, exclude_none=True, indent=2)) + "\n"


def _result(finding: Finding) -> dict[str, Any]:
    what = f"{finding.rule}\0{finding.address or ''}\0{finding.place}"
    told: dict[str, Any] = {
        "ruleId": f"lbstack/{finding.rule}",
        "ruleIndex": [*RULES].index(finding.rule),
        "level": "error" if finding.error else "warning",
        "message": {"text": finding.text},
        # The same finding on another line is no new one.
        "partialFingerprints": {"lbstack/v1": hashlib.sha256(what.encode("utf-8", "replace")).hexdigest()},
    }
    location: dict[str, Any] = {}
    if source := finding.source:
        location["physicalLocation"] = {
            "artifactLocation": {"uri": uri(source.file)},
            "region": {"startLine": source.line, "startColumn": source.column},
        }
    if finding.address:
        location["logicalLocations"] = [
            {"fullyQualifiedName": safe(str(finding.address)), "kind": "resource"}
        ]
    return told | ({"locations": [location]} if location else {})


def uri(file: str) -> str:
    """A path as a URI, relative where the path is."""
    path = PurePath(file).as_posix()
    return ("file://" if path.startswith("/") else "") + quote(path.encode("utf-8", "surrogateescape"))
