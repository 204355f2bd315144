"""The images behind the URLs that exports print for annotations (API reference 1.11 and 5.3).

An index of every object that labels hold is kept by the database itself, in the statement that writes a
label, so that a mask is found without looking through labels.
"""

from __future__ import annotations

import json
from typing import Any

from lbstack.sandbox import files
from lbstack.sandbox.context import Context
from lbstack.sandbox.contract import Reply, RestCall, Route
from lbstack.sandbox.errors import MalformedError, NotFoundError
from lbstack.sandbox.exports import png, shapes, tokens
from lbstack.sandbox.exports.reading import media_attributes
from lbstack.sandbox.kinds.label import LABELS
from lbstack.sandbox.store import Row

_KEPT = "iif(json_valid(NEW.annotations), NEW.annotations, '{}')"
_INDEX = f"""INSERT OR REPLACE INTO label_objects (featureId, labelId)
        SELECT json_extract({_KEPT}, fullkey || '.feature_id'), NEW.id FROM json_each({_KEPT}, '$.objects')
        WHERE json_type({_KEPT}, fullkey || '.feature_id') = 'text'"""  # noqa: S608

TABLES = (
    "CREATE TABLE IF NOT EXISTS label_objects (featureId TEXT PRIMARY KEY, labelId TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS label_objects_label ON label_objects (labelId)",
    f"CREATE TRIGGER IF NOT EXISTS label_objects_made AFTER INSERT ON labels BEGIN {_INDEX}; END",
    f"""CREATE TRIGGER IF NOT EXISTS label_objects_changed AFTER UPDATE OF annotations ON labels BEGIN
        DELETE FROM label_objects WHERE labelId = OLD.id; {_INDEX}; END""",  # noqa: S608
    """CREATE TRIGGER IF NOT EXISTS label_objects_gone AFTER DELETE ON labels BEGIN
        DELETE FROM label_objects WHERE labelId = OLD.id; END""",
)


def url(base: str, project: str, feature: str, index: int = 1) -> str:
    """Return where the mask of a feature is found, as new exports print it."""
    return f"{base}/api/v1/projects/{project}/annotations/{feature}/index/{index}/mask"


def legacy_url(base: str, feature: str, token: str) -> str:
    """Return where the mask of a feature is found, as the older export prints it."""
    return f"{base}/masks/feature/{feature}?token={token}"


def _of_feature(context: Context, call: RestCall) -> Reply:
    return _serve(context, call.params["feature"], None, 1)


def _of_project(context: Context, call: RestCall) -> Reply:
    index = call.params["index"]
    if not (index.isascii() and index.isdigit() and len(index) < 10):
        raise NotFoundError(f"Mask not found: index {index}")
    return _serve(context, call.params["feature"], call.params["project"], int(index))


def _serve(context: Context, feature: str, project: str | None, index: int) -> Reply:
    missing = NotFoundError(f"Mask not found: {feature}")
    ident = context.store.value("SELECT labelId FROM label_objects WHERE featureId = ?", [feature])
    if ident is None:
        raise missing
    label = context.find(LABELS, ident)
    if project not in (None, label["projectId"]):
        raise missing
    objects = json.loads(label["annotations"])["objects"]
    kept = next(each for each in objects if each.get("feature_id") == feature)
    try:
        return _image(context, label, kept, index)
    except (MalformedError, OSError, ValueError, shapes.UndrawableError):
        raise missing from None


def _image(context: Context, label: Row, kept: dict[str, Any], index: int) -> Reply:
    if "mask" not in kept:
        if index != 1:
            raise shapes.UndrawableError
        return _png(shapes.mask(kept, _size(context, label["dataRowId"])))
    mask = kept["mask"]
    if "frames" in mask:
        frame = next((each for each in mask["frames"] if each["index"] == index), None)
        if frame is None:
            raise shapes.UndrawableError
        mask = {"color": mask.get("color"), **frame}
    elif index != 1:
        raise shapes.UndrawableError
    return _stored(context, mask)


def _stored(context: Context, mask: dict[str, Any]) -> Reply:
    """Return an image: as it is, or white where it has the colour of this mask."""
    where = mask.get("file") or mask.get("uri") or ""
    found = files.own(context, where)
    content = files.read(context, where)
    color = mask.get("color")
    if color:
        try:
            image = png.read(content)
            rows = png.where_color(image, (color[0], color[1], color[2]))
            return _png(png.write(image.width, image.height, rows))
        except png.UnreadableError:
            pass
    told = found[0]["contentType"] if found else "application/octet-stream"
    return Reply(200, content=content, content_type=_kind(content, told))


def _kind(content: bytes, told: str) -> str:
    return png.CONTENT_TYPE if content.startswith(png.SIGNATURE) else told


def _png(content: bytes) -> Reply:
    return Reply(200, content=content, content_type=png.CONTENT_TYPE)


def _size(context: Context, data_row: str) -> tuple[int, int] | None:
    row = context.store.row("SELECT * FROM data_rows WHERE id = ?", [data_row])
    told = media_attributes(row) if row else {}
    width, height = told.get("width"), told.get("height")
    return (width, height) if isinstance(width, int) and isinstance(height, int) else None


ROUTES = (
    Route("GET", "/masks/feature/{feature}", _of_feature, under="", caller=tokens.caller),
    Route(
        "GET",
        "/projects/{project}/annotations/{feature}/index/{index}/mask",
        _of_project,
        caller=tokens.caller,
    ),
)
