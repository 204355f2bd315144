"""Labels as rows: made, changed, deleted, with all that hangs on them (API reference 1.11, 5.8 and 6.2).

Whoever makes a label, a person or an import, does it here: its features, its version, the day's count, how
it agrees with the row's other labels, where the row stands in the workflow, and what webhooks hear of it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from lbstack.sandbox import events, files, workflow
from lbstack.sandbox.annotations import agreement, features, printed, versions
from lbstack.sandbox.annotations.judge import Judge, prefix
from lbstack.sandbox.annotations.values import Told
from lbstack.sandbox.context import Context
from lbstack.sandbox.store import Row

TABLES = (
    """CREATE TABLE IF NOT EXISTS labels (
        id TEXT PRIMARY KEY, organizationId TEXT NOT NULL, createdById TEXT NOT NULL,
        projectId TEXT NOT NULL, dataRowId TEXT NOT NULL, typeId TEXT NOT NULL, label TEXT NOT NULL,
        annotations TEXT NOT NULL, secondsToLabel REAL NOT NULL,
        secondsToReview REAL NOT NULL DEFAULT 0, agreement REAL, benchmarkAgreement REAL, importId TEXT,
        createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL, deleted INTEGER NOT NULL DEFAULT 0)""",
    "CREATE INDEX IF NOT EXISTS labels_project ON labels (projectId, deleted)",
    "CREATE INDEX IF NOT EXISTS labels_data_row ON labels (dataRowId)",
    "CREATE TABLE IF NOT EXISTS label_types (id TEXT PRIMARY KEY, name TEXT NOT NULL)",
    f"INSERT OR IGNORE INTO label_types VALUES ('{agreement.SUBMITTED}', 'Submitted')",  # noqa: S608
    f"INSERT OR IGNORE INTO label_types VALUES ('{agreement.SKIPPED}', 'Skipped')",  # noqa: S608
    """CREATE TABLE IF NOT EXISTS benchmarks (
        id TEXT PRIMARY KEY, organizationId TEXT NOT NULL, createdById TEXT NOT NULL,
        labelId TEXT NOT NULL, projectId TEXT NOT NULL, dataRowId TEXT NOT NULL,
        createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL)""",
    "CREATE UNIQUE INDEX IF NOT EXISTS benchmarks_row ON benchmarks (projectId, dataRowId)",
    "CREATE UNIQUE INDEX IF NOT EXISTS benchmarks_label ON benchmarks (labelId)",
    """CREATE TABLE IF NOT EXISTS predictions (
        id TEXT PRIMARY KEY, organizationId TEXT NOT NULL, createdById TEXT NOT NULL,
        projectId TEXT NOT NULL, dataRowId TEXT NOT NULL, importId TEXT, featureSchemaId TEXT NOT NULL,
        list TEXT NOT NULL, annotation TEXT NOT NULL, createdAt TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS predictions_row ON predictions (dataRowId, projectId)",
    "CREATE INDEX IF NOT EXISTS predictions_import ON predictions (importId)",
    """CREATE TABLE IF NOT EXISTS annotation_days (
        organizationId TEXT NOT NULL, creationDate TEXT NOT NULL, image INTEGER NOT NULL,
        video INTEGER NOT NULL, text INTEGER NOT NULL, updateTime TEXT NOT NULL,
        PRIMARY KEY (organizationId, creationDate)) WITHOUT ROWID""",
    # A label goes for good with its data row, whoever deletes that: nothing may be left of it.
    """CREATE TRIGGER IF NOT EXISTS label_is_gone AFTER DELETE ON labels BEGIN
        DELETE FROM benchmarks WHERE labelId = OLD.id; DELETE FROM label_features WHERE labelId = OLD.id;
        END""",
    """CREATE TRIGGER IF NOT EXISTS labelled_row_is_gone AFTER DELETE ON data_rows BEGIN
        DELETE FROM predictions WHERE dataRowId = OLD.id; END""",
)

_PICTURES = {None, "IMAGE", "TMS_GEO", "TMS_SIMPLE", "DICOM", "POINT_CLOUD"}
_MOVING = {"VIDEO", "AUDIO"}


def judge_for(context: Context, project: Row, data_row: Row, roots: features.Level | None = None) -> Judge:
    """Who judges what is said of a data row in a project; its images are kept as files of ours."""
    if roots is None:
        roots = features.roots(context, project["ontologyId"])
    media_type = data_row["mediaType"] or project["allowedMediaType"]
    return Judge(
        roots,
        prefix(media_type),
        context.new_id,
        lambda image: files.save(context, "mask.png", image, "image/png"),
    )


def add(
    context: Context,
    project: Row,
    data_row: Row,
    text: str,
    annotations: Told,
    also_used: set[str] | None = None,
    **row: Any,
) -> Row:
    """Make a label. ``also_used`` are features that its text names without annotating them."""
    now, ident = context.now(), context.new_id()
    row = {
        "id": ident, "organizationId": context.organization_id, "createdById": context.user["id"],
        "projectId": project["id"], "dataRowId": data_row["id"], "typeId": agreement.SUBMITTED,
        "label": text, "annotations": json.dumps(annotations), "secondsToLabel": 0.0,
        "createdAt": now, "updatedAt": now, **row,
    }  # fmt: skip
    context.insert("labels", row)
    _use(context, ident, printed.used(annotations) | (also_used or set()))
    context.store.update("projects", project["id"], {"lastActivityTime": now})
    _count(context, data_row["mediaType"] or project["allowedMediaType"], printed.count(annotations))
    versions.record(context, row, "SUBMITTED", stage=versions.stage(context, project["id"], data_row["id"]))
    workflow.labelled(context, project["id"], data_row["id"])
    return _settled(context, ident, "LABEL_CREATED")


def change(
    context: Context, label: Row, text: str, annotations: Told, also_used: set[str] | None = None, **row: Any
) -> Row:
    """Replace what a label says."""
    context.touch(label["id"])
    changes = {"label": text, "annotations": json.dumps(annotations), "updatedAt": context.now(), **row}
    context.store.update("labels", label["id"], changes)
    context.store.run("DELETE FROM label_features WHERE labelId = ?", [label["id"]])
    _use(context, label["id"], printed.used(annotations) | (also_used or set()))
    stage = versions.stage(context, label["projectId"], label["dataRowId"])
    versions.record(context, {**label, **changes}, "SAVED", stage=stage)
    return _settled(context, label["id"], "LABEL_UPDATED")


def remove(context: Context, labels: Sequence[Row], *, as_templates: bool = False) -> list[Row]:
    """Delete labels; as templates their annotations stay as pre-labels of the row (API reference 6.2)."""
    return [_removed(context, label, as_templates) for label in labels]


def _removed(context: Context, label: Row, as_template: bool) -> Row:
    ident = label["id"]
    context.touch(ident)
    context.store.update("labels", ident, {"deleted": 1, "updatedAt": context.now()})
    context.store.run("DELETE FROM label_features WHERE labelId = ?", [ident])
    context.store.run("DELETE FROM benchmarks WHERE labelId = ?", [ident])
    if as_template:
        told = json.loads(label["annotations"])
        predict(context, label["projectId"], label["dataRowId"], None, told)
    workflow.requeue(context, label["projectId"], label["dataRowId"])
    return _settled(context, ident, "LABEL_DELETED")


def predict(context: Context, project: str, data_row: str, import_: str | None, annotations: Told) -> None:
    """Keep annotations as pre-labels of a data row: of an import, or (None) of a label that was deleted."""
    head = [context.organization_id, context.user["id"], project, data_row, import_]
    kept = {
        "objects": printed.objects(annotations),
        "classifications": annotations["classifications"],
        "relationships": annotations["relationships"],
    }
    rows = [
        [context.new_id(), *head, each["feature_schema_id"], name, json.dumps(each), context.now()]
        for name, items in kept.items()
        for each in items
    ]
    context.store.run_many(f"INSERT INTO predictions VALUES ({', '.join('?' * 10)})", rows)  # noqa: S608


def _use(context: Context, label: str, used: set[str]) -> None:
    sql = "INSERT INTO label_features (labelId, featureSchemaId) VALUES (?, ?)"
    context.store.run_many(sql, [(label, feature) for feature in sorted(used)])


def _count(context: Context, media_type: str | None, made: int) -> None:
    """Add to what was annotated today."""
    columns = ("image", "video", "text")
    column = columns[0 if media_type in _PICTURES else 1 if media_type in _MOVING else 2]
    counts = [made if each == column else 0 for each in columns]
    now = context.now()
    sql = """INSERT INTO annotation_days VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
        image = image + excluded.image, video = video + excluded.video, text = text + excluded.text,
        updateTime = excluded.updateTime"""
    context.store.run(sql, [context.organization_id, now[:10], *counts, now])


def _settled(context: Context, ident: str, event: str) -> Row:
    """What every change of a label entails; return the label as it then is."""
    sql = "SELECT * FROM labels WHERE id = ?"
    label = context.store.row(sql, [ident])
    assert label is not None
    agreement.renew(context, label["projectId"], label["dataRowId"])
    label = context.store.row(sql, [ident])
    assert label is not None
    events.tell(context, event, label["projectId"], label_event(context, label))
    return label


def label_event(context: Context, label: Row) -> Row:
    """What webhooks are told of a label (API reference 5.8): ``label`` is its stringified JSON.

    Beside the objects and classifications of imported labels that JSON has the answers as the legacy editor
    wrote them, question to answer: that is how receivers of old read them.
    """
    data_row = context.store.row("SELECT * FROM data_rows WHERE id = ?", [label["dataRowId"]]) or {}
    project = context.store.row("SELECT * FROM projects WHERE id = ?", [label["projectId"]]) or {}
    labeler = context.store.row("SELECT email FROM users WHERE id = ?", [label["createdById"]]) or {}
    told = json.loads(label["label"])
    if isinstance(told, dict):
        told = printed.flat(json.loads(label["annotations"])) | told
    same = ("id", "createdAt", "updatedAt", "secondsToLabel")
    return {
        **{key: label[key] for key in same},
        "label": json.dumps(told),
        "project": {key: project.get(key) for key in ("id", "name")},
        "dataRow": {key: data_row.get(key) for key in ("id", "rowData", "externalId", "globalKey")},
        "labeler": {"email": labeler.get("email")},
        "createdBy": {"email": labeler.get("email")},
    }
