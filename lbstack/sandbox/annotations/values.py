"""The value of an object in a line of an import, checked and in the form it is kept (API reference 1.10).

Every function takes what the line tells and raises RejectedError where it is not what the tool makes.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

Told = dict[str, Any]

_LARGEST = 1e12  # far beyond any pixel, second or degree
_MOST_POINTS = 100_000
_MOST_PNG = 30_000_000  # characters of base64
_DEEPEST = 250  # levels of JSON: four for each of the questions an ontology can nest
_PNG = b"\x89PNG\r\n\x1a\n"
_UNITS = {"INCHES", "PIXELS", "POINTS", "PERCENT"}


class RejectedError(Exception):
    """Why an annotation is not imported: ``name`` and ``message`` go into the status file."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name
        self.message = message


def invalid(message: str) -> RejectedError:
    """An annotation whose value does not have the shape that its feature needs."""
    return RejectedError("InvalidAnnotation", message)


def obj(raw: Any, path: str) -> Told:
    """An object, or a rejection."""
    if not isinstance(raw, dict):
        raise invalid(f"{path} must be an object")
    return raw


def items(raw: Any, path: str, least: int = 1, most: int = _MOST_POINTS) -> list[Any]:
    """A list of a sensible length, or a rejection."""
    if not isinstance(raw, list) or not least <= len(raw) <= most:
        raise invalid(f"{path} must be a list of at least {least} and at most {most} items")
    return raw


def text(raw: Any, path: str) -> str:
    """A text that is not empty, or a rejection."""
    if not isinstance(raw, str) or not raw:
        raise invalid(f"{path} must be a text that is not empty")
    return raw


def number(raw: Any, path: str) -> int | float:
    """A finite number, or a rejection."""
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not abs(raw) <= _LARGEST:
        raise invalid(f"{path} must be a number")
    return raw


def whole(raw: Any, path: str, least: int = 0, most: int = 2**31) -> int:
    """A whole number between ``least`` and ``most``, or a rejection."""
    if isinstance(raw, bool) or not isinstance(raw, int) or not least <= raw <= most:
        raise invalid(f"{path} must be a whole number of at least {least}")
    return raw


def bounding_box(raw: Any) -> Told:
    """``bbox``, no side of which is negative."""
    body = obj(raw, "bbox")
    box = {side: number(body.get(side), f"bbox.{side}") for side in ("top", "left", "height", "width")}
    if box["height"] < 0 or box["width"] < 0:
        raise invalid("bbox must not have a negative height or width")
    return box


def point(raw: Any, path: str = "point") -> Told:
    """A point of the plane."""
    body = obj(raw, path)
    return {axis: number(body.get(axis), f"{path}.{axis}") for axis in ("x", "y")}


def polygon(raw: Any) -> list[Told]:
    """At least three points."""
    return [point(each, f"polygon[{place}]") for place, each in enumerate(items(raw, "polygon", 3))]


def line(raw: Any) -> list[Told]:
    """At least two points."""
    return [point(each, f"line[{place}]") for place, each in enumerate(items(raw, "line", 2))]


def cuboid(raw: Any) -> Told:
    """A box in space; what else is told of it, its projected faces, is kept as it is."""
    body = obj(raw, "cuboid")
    axes = {
        part: {axis: number(obj(body.get(part), f"cuboid.{part}").get(axis), f"cuboid.{part}.{axis}")
               for axis in told}
        for part, told in (("center", "xy"), ("rotation", "xyz"), ("size", "xyz"))
    }  # fmt: skip
    if "z" in body["center"]:
        axes["center"]["z"] = number(body["center"]["z"], "cuboid.center.z")
    faces: Told = {face: _face(body[face], face) for face in ("front", "back") if face in body}
    projection: Told = (
        {"projection": text(body["projection"], "cuboid.projection")} if "projection" in body else {}
    )
    return {**axes, **projection, **faces}


def _face(raw: Any, face: str) -> Told:
    body = obj(raw, f"cuboid.{face}")
    corners = ("top_left", "top_right", "bottom_left", "bottom_right")
    return {corner: point(body.get(corner), f"cuboid.{face}.{corner}") for corner in corners}


def mask(raw: Any, keep: Callable[[bytes], str]) -> Told:
    """An image and the colour that means this object in it, or a PNG of ones and zeros that is kept."""
    body = obj(raw, "mask")
    if ("png" in body) == ("instanceURI" in body):
        raise invalid("mask must have either png or instanceURI and colorRGB")
    if "png" in body:
        return {"file": keep(_png(body["png"], "mask.png"))}
    return {
        "uri": url(body["instanceURI"], "mask.instanceURI"),
        "color": color(body.get("colorRGB"), "mask.colorRGB"),
    }


def mask_frame(raw: Any, keep: Callable[[bytes], str]) -> Told:
    """One frame of a video's masks: what all its instances look like, each in its colour."""
    body = obj(raw, "masks.frames")
    index = whole(body.get("index"), "masks.frames.index", 1)
    uri, png = body.get("instanceURI"), body.get("imBytes", body.get("im_bytes"))
    if (uri is None) == (png is None):
        raise invalid("a frame of masks must have either instanceURI or imBytes")
    if uri is not None:
        return {"index": index, "uri": url(uri, "masks.frames.instanceURI")}
    return {"index": index, "file": keep(_png(png, "masks.frames.imBytes"))}


def _png(raw: Any, path: str) -> bytes:
    if len(text(raw, path)) > _MOST_PNG:
        raise invalid(f"{path} is too large")
    try:
        content = base64.b64decode(raw, validate=True)
    except (binascii.Error, ValueError):
        raise invalid(f"{path} is not valid base64") from None
    if not content.startswith(_PNG):
        raise invalid(f"{path} is no PNG image")
    return content


def url(raw: Any, path: str) -> str:
    """A http(s) address, or a rejection."""
    try:
        parts = urlsplit(text(raw, path))
    except ValueError:
        raise invalid(f"{path} is not a URL") from None
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise invalid(f"{path} is not a http(s) URL")
    return str(raw)


def color(raw: Any, path: str) -> list[int]:
    """Three numbers between 0 and 255."""
    return [whole(part, path, 0, 255) for part in items(raw, path, 3, 3)]


def location(raw: Any) -> Told:
    """The first and the last character of an entity in a text."""
    body = obj(raw, "location")
    start, end = (whole(body.get(key), f"location.{key}") for key in ("start", "end"))
    if start > end:
        raise invalid("location.start must not be after location.end")
    return {"start": start, "end": end}


def text_selections(raw: Any) -> list[Told]:
    """The tokens of an entity in a document."""
    return [
        {
            "token_ids": [text(token, "tokenIds") for token in items(each.get("tokenIds"), "tokenIds")],
            "group_id": text(each.get("groupId"), "groupId"),
            "page": whole(each.get("page"), "page", 1),
        }
        for each in (obj(one, "textSelections") for one in items(raw, "textSelections"))
    ]


def frames(raw: Any) -> list[Told]:
    """Stretches of a video."""
    found = []
    for one in items(raw, "frames"):
        body = obj(one, "frames")
        start, end = (whole(body.get(key), f"frames.{key}") for key in ("start", "end"))
        if start > end:
            raise invalid("frames.start must not be after frames.end")
        found.append({"start": start, "end": end})
    return found


def page(raw: Told) -> Told:
    """Where in a document an object stands; nothing where the line tells nothing."""
    found: Told = {}
    if raw.get("page") is not None:
        found["page"] = whole(raw["page"], "page")
    if raw.get("unit") is not None:
        if raw["unit"] not in _UNITS:
            raise invalid(f"unit must be one of {', '.join(sorted(_UNITS))}")
        found["unit"] = raw["unit"]
    return found


def message_task(tool: str, raw: Any) -> Told:
    """Which of a model's messages were chosen, or how they rank; ``format`` is the tool's type."""
    body = obj(raw, "messageEvaluationTask")
    if body.get("format") != tool:
        raise invalid(f"messageEvaluationTask.format must be {tool}")
    data = obj(body.get("data"), "messageEvaluationTask.data")
    kept: Told = {"parent_message_id": text(data.get("parentMessageId"), "parentMessageId")}
    if tool == "message-single-selection":
        return {"format": tool, "data": kept | _message(data)}
    key = {"message-multi-selection": "selectedMessages", "message-ranking": "rankedMessages"}[tool]
    messages = [obj(each, key) for each in items(data.get(key), key)]
    told = [_message(each) for each in messages]
    if tool == "message-ranking":
        orders = [whole(each.get("order"), "order", 1) for each in messages]
        if sorted(orders) != list(range(1, len(orders) + 1)):
            raise invalid("rankedMessages must be ordered 1, 2, 3 …, each once")
        told = [{**each, "order": order} for each, order in zip(told, orders, strict=True)]
    return {"format": tool, "data": kept | {f"{key.removesuffix('Messages')}_messages": told}}


def _message(raw: Told) -> Told:
    return {
        "message_id": text(raw.get("messageId"), "messageId"),
        "model_config_name": text(raw.get("modelConfigName"), "modelConfigName"),
    }


def is_sound(value: Any, levels: int = _DEEPEST) -> bool:
    """Say whether JSON holds no number that JSON cannot print again, and is not nested beyond reason."""
    if isinstance(value, float):
        return math.isfinite(value)
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(is_sound(each, levels - 1) for each in inner)
