"""Files of annotations: read, judged row by row, and answered line by line (API reference 1.10).

The lines are laid down first, in the order of the data rows they are about, so that a long file is worked
off in turns and a restart goes on where it was. What became of each line is laid beside it, until the
status and the error file are written from that.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lbstack.sandbox import files, workflow
from lbstack.sandbox.annotations import features, keeping, written
from lbstack.sandbox.annotations.judge import Judge, value_of
from lbstack.sandbox.annotations.values import RejectedError, Told, invalid, is_sound, text
from lbstack.sandbox.context import Context
from lbstack.sandbox.errors import MalformedError
from lbstack.sandbox.ids import print_time
from lbstack.sandbox.store import Row

TABLES = (
    """CREATE TABLE IF NOT EXISTS annotation_import_lines (
        importId TEXT NOT NULL, groupNumber INTEGER NOT NULL, line INTEGER NOT NULL, dataRowId TEXT,
        body TEXT NOT NULL, outcome TEXT NOT NULL, PRIMARY KEY (importId, groupNumber, line))
        WITHOUT ROWID""",
)

NDJSON = "application/x-ndjson"
MOST_OF_A_FEATURE = 5000  # annotations of one feature in one data row (5.7)
_LINES_A_TURN = 2000
_DAY = 86_400
_LONGEST_UUID = 200
_OK = {"status": "SUCCESS"}


@dataclass(frozen=True)
class Judged:
    """The annotations of one data row that can be kept, and whether they are to be its reference."""

    data_row: Row
    annotations: Told
    is_reference: bool


def parse(content: bytes) -> list[Told]:
    """Read newline-delimited JSON objects; a file that is anything else fails as a whole."""
    try:
        told = content.decode("utf-8-sig")
        lines = [line for line in told.split("\n") if line.strip()]
        found = [json.loads(line) for line in lines]
        if b"\\u" in content:  # half a surrogate pair is no text
            json.dumps(found, ensure_ascii=False).encode()
        good = bool(found) and all(isinstance(each, dict) for each in found) and is_sound(found)
    except (ValueError, RecursionError):
        good = False
    if not good:
        raise MalformedError("The file is not newline-delimited JSON")
    return found


def lay_down(context: Context, ident: str, lines: Sequence[Told]) -> None:
    """Keep the lines of an import; those that are about no data row, or too many, are rejected at once."""
    rows = _data_rows(context, lines)
    groups: dict[str | None, int] = {None: 0}
    uuids: set[str] = set()
    counts: Counter[tuple[str, str]] = Counter()
    kept = []
    for number, line in enumerate(lines):
        data_row = rows.get(_meant(line.get("dataRow")))
        uuid = line.get("uuid") or context.store.mint.uuid()
        outcome: Told = {"uuid": uuid, "dataRow": _shown(line, data_row)}
        try:
            _check(line, data_row, uuids, counts)
        except RejectedError as error:
            outcome |= _failure(error)
        group = groups.setdefault(data_row, len(groups))
        kept.append((ident, group, number, data_row, json.dumps(line), json.dumps(outcome)))
    sql = "INSERT INTO annotation_import_lines VALUES (?, ?, ?, ?, ?, ?)"
    context.store.run_many(sql, kept)


def _meant(raw: Any) -> tuple[str, str] | None:
    """How a line names its data row: by exactly one of ``id`` and ``globalKey``."""
    if not isinstance(raw, dict):
        return None
    told = [(key, raw[key]) for key in ("id", "globalKey") if raw.get(key) is not None]
    return told[0] if len(told) == 1 and isinstance(told[0][1], str) else None


def _data_rows(context: Context, lines: Sequence[Told]) -> dict[tuple[str, str] | None, str]:
    """The ids of the data rows that the lines name, of those that exist in this organization."""
    named = {told for told in (_meant(line.get("dataRow")) for line in lines) if told}
    found: dict[tuple[str, str] | None, str] = {}
    for key in ("id", "globalKey"):
        asked = json.dumps([value for kind, value in named if kind == key])
        sql = f"""SELECT id, {key} AS told FROM data_rows
            WHERE organizationId = ? AND {key} IN (SELECT value FROM json_each(?))"""  # noqa: S608
        for row in context.store.rows(sql, [context.organization_id, asked]):
            found[(key, row["told"])] = row["id"]
    return found


def _shown(line: Told, data_row: str | None) -> Told:
    meant = _meant(line.get("dataRow"))
    shown = dict([meant]) if meant else {}
    return {"id": data_row, **shown} if data_row else shown


def _check(line: Told, data_row: str | None, uuids: set[str], counts: Counter[tuple[str, str]]) -> None:
    uuid = line.get("uuid")
    if uuid is not None:
        if len(text(uuid, "uuid")) > _LONGEST_UUID:
            raise invalid("uuid is too long")
        if uuid in uuids:
            raise RejectedError("DuplicateUuid", f"uuid {uuid} is used more than once")
        uuids.add(uuid)
    meant = _meant(line.get("dataRow"))
    if meant is None:
        raise invalid("dataRow must have exactly one of id and globalKey")
    if data_row is None:
        raise RejectedError("DataRowNotFound", f"Data row not found: {meant[0]} {meant[1]}")
    feature = line.get("name", line.get("schemaId"))
    if isinstance(feature, str):
        counts[data_row, feature] += 1
        if counts[data_row, feature] > MOST_OF_A_FEATURE:
            most = f"Imports are limited to {MOST_OF_A_FEATURE} annotations per data row"
            raise RejectedError("TooManyAnnotations", f"{most} and feature: {feature}")


def _failure(error: RejectedError) -> Told:
    return {"status": "FAILURE", "errors": [{"name": error.name, "message": error.message}]}


def turn(context: Context, ident: str, project: Row, after: int) -> tuple[int, list[Judged]]:
    """Judge the next data rows of an import; return the last group judged, and what can be kept."""
    roots = features.roots(context, project["ontologyId"])
    last, judged = after, []
    for group, lines in _groups(context, ident, after):
        last = group
        found = _judge_row(context, project, roots, lines) if group else None
        if found:
            judged.append(found)
        sql = """UPDATE annotation_import_lines SET outcome = ?
            WHERE importId = ? AND groupNumber = ? AND line = ?"""
        told = [(json.dumps(line["outcome"]), ident, group, line["line"]) for line in lines]
        context.store.run_many(sql, told)
    return last, judged


def _groups(context: Context, ident: str, after: int) -> Iterator[tuple[int, list[Row]]]:
    """The lines of the next data rows, a row at a time, until it is enough for a turn."""
    done = 0
    while done < _LINES_A_TURN:
        sql = """SELECT * FROM annotation_import_lines WHERE importId = ? AND groupNumber =
            (SELECT min(groupNumber) FROM annotation_import_lines WHERE importId = ? AND groupNumber > ?)
            ORDER BY line"""
        lines = context.store.rows(sql, [ident, ident, after])
        if not lines:
            return
        for line in lines:
            line["body"], line["outcome"] = json.loads(line["body"]), json.loads(line["outcome"])
        after = lines[0]["groupNumber"]
        done += len(lines)
        yield after, lines


def _judge_row(context: Context, project: Row, roots: features.Level, lines: list[Row]) -> Judged | None:
    data_row = context.store.row("SELECT * FROM data_rows WHERE id = ?", [lines[0]["dataRowId"]])
    if data_row is None or not workflow.holds(context, project["id"], data_row):
        problem = f"Data row {lines[0]['dataRowId']} is not part of project {project['id']}"
        for line in lines:
            line["outcome"] |= _failure(RejectedError("DataRowNotInProject", problem))
        return None
    judge = keeping.judge_for(context, project, data_row, roots)
    found = judge_lines(judge, [line for line in lines if "status" not in line["outcome"]])
    if not (found["objects"] or found["classifications"]):
        return None
    reference = any(line["body"].get("isBenchmarkReferenceLabel") is True for line in lines)
    return Judged(data_row, found, reference)


def judge_lines(judge: Judge, lines: Sequence[Row]) -> Told:
    """The annotations of one data row; every line's ``outcome`` is told how it went.

    Relationships come last: what they connect may stand after them.
    """
    found, answered = written.empty(), set[Any]()
    by_uuid: dict[str, Told] = {}
    for line in sorted(lines, key=lambda line: line["body"].get("relationship") is not None):
        told, uuid = line["body"], line["outcome"]["uuid"]
        try:
            if value_of(told) == "relationship":
                where, made = "relationships", [judge.relationship(told, by_uuid)]
            else:
                where, made = judge.annotations(told)
                _once(where, made[0], answered)
        except RejectedError as error:
            line["outcome"] |= _failure(error)
            continue
        found[where] += made
        by_uuid[uuid] = made[0]
        line["outcome"] |= _OK
    found["objects"] += found["relationships"]
    return found


def _once(where: str, made: Told, answered: set[Any]) -> None:
    """A question is answered once in a data row; in a message or a stretch of video of its own, again."""
    if where != "classifications" or "frames" in made:
        return
    place = (made["feature_schema_id"], made.get("message_id"))
    if place in answered:
        raise invalid(f"{made['name']!r} is answered twice in this data row")
    answered.add(place)


def finish(context: Context, ident: str) -> Row:
    """Write the status and the error file; return their URLs. They are gone after 24 hours."""
    sql = "SELECT outcome FROM annotation_import_lines WHERE importId = ? ORDER BY line"
    told = [row["outcome"] for row in context.store.rows(sql, [ident])]
    failed = [line for line in told if json.loads(line)["status"] == "FAILURE"]
    context.store.run("DELETE FROM annotation_import_lines WHERE importId = ?", [ident])
    return {"statusFileUrl": _save(context, "status", told), "errorFileUrl": _save(context, "errors", failed)}


def refuse(context: Context, ident: str, message: str) -> Row:
    """Write the files of an import that failed as a whole: one line that says why."""
    context.store.run("DELETE FROM annotation_import_lines WHERE importId = ?", [ident])
    told = [json.dumps({"dataRow": {}, **_failure(RejectedError("InvalidFile", message))})]
    return {"statusFileUrl": _save(context, "status", told), "errorFileUrl": _save(context, "errors", told)}


def progress(context: Context, ident: str, after: int) -> str:
    """How much of an import has been judged, as the service prints it: ``42%``."""
    sql = """SELECT count(*) FILTER (WHERE groupNumber <= ?) * 100 / max(count(*), 1)
        FROM annotation_import_lines WHERE importId = ?"""
    return f"{context.store.value(sql, [after, ident])}%"


def _save(context: Context, name: str, lines: Sequence[str]) -> str:
    expires = print_time(datetime.fromisoformat(context.now()).timestamp() + _DAY)
    content = "\n".join(lines).encode()
    return files.save(context, f"{name}.ndjson", content, NDJSON, expires=expires)
