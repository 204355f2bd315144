"""The masks behind the URLs that exports print (API reference 1.11 and 5.3)."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest
from annotated import ANNOTATIONS, CUBOID, Labelled, png
from test_upload import upload
from workspace import Workspace

from lbstack.sandbox.exports import png as images
from lbstack.sandbox.exports import tokens

IDENT = "x" * 25
RED, BLUE = (255, 0, 0), (0, 0, 255)


def labelled(box: Workspace, **value: Any) -> Labelled:
    made = Labelled(box)
    kept = {"feature_id": IDENT, "feature_schema_id": "s" * 25, "name": "a", "value": "a",
            "annotation_kind": "ImageMask", "classifications": [], **value}  # fmt: skip
    made.label({"objects": [kept], "classifications": [], "relationships": []})
    return made


def kept(box: Workspace, content: bytes, name: str = "mask.png", kind: str = "image/png") -> str:
    return str(upload(box, (name, content, kind))["data"]["uploadFile"]["url"])


def mask(box: Workspace, made: Labelled, index: int = 1, ident: str = IDENT) -> Any:
    path = f"/api/v1/projects/{made.project}/annotations/{ident}/index/{index}/mask"
    return box.client.get(path, headers=box.headers)


def pixels(content: bytes) -> list[list[int]]:
    """The rows of a mask: one byte a pixel."""
    image = images.read(content)
    assert (image.depth, image.color_type) == (8, 0)
    return [list(row) for row in images.rows(image)]


def test_a_stored_image_is_served_as_it_is(box: Workspace) -> None:
    content = png(2, 1, [b"\0\0\xff"], 0)
    made = labelled(box, mask={"file": kept(box, content)})
    for answer in (mask(box, made), box.client.get(f"/masks/feature/{IDENT}", headers=box.headers)):
        assert (answer.status_code, answer.content) == (200, content)
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["content-length"] == str(len(content))
        assert answer.headers["x-content-type-options"] == "nosniff"
    head = box.client.head(f"/masks/feature/{IDENT}", headers=box.headers)
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(content)))


def test_the_mask_of_a_colour_is_white_where_the_image_has_it(box: Workspace) -> None:
    red, blue, black = bytes(RED), bytes(BLUE), b"\0\0\0"
    content = png(3, 2, [b"\0" + red + blue + red, b"\0" + black + black + red], 2)
    made = labelled(box, mask={"uri": kept(box, content), "color": list(RED)})
    assert pixels(mask(box, made).content) == [[255, 0, 255], [0, 0, 255]]


def test_the_url_that_an_export_prints_leads_to_the_mask(box: Workspace) -> None:
    content = png(1, 1, [b"\0\xff"], 0)
    made = labelled(box, mask={"file": kept(box, content)})
    (line,) = made.export()
    url = line["projects"][made.project]["labels"][0]["annotations"]["objects"][0]["mask"]["url"]
    assert box.client.get(url, headers=box.headers).content == content
    assert box.client.get(url, params={"token": box.headers["authorization"].split()[1]}).content == content


def test_a_video_has_a_mask_for_each_frame(box: Workspace) -> None:
    red, blue = (png(1, 1, [b"\0" + bytes(color)], 2) for color in (RED, BLUE))
    frames = [{"index": 3, "file": kept(box, red)}, {"index": 7, "file": kept(box, blue)}]
    made = labelled(box, mask={"color": list(RED), "frames": frames})
    assert pixels(mask(box, made, 3).content) == [[255]]
    assert pixels(mask(box, made, 7).content) == [[0]]
    assert mask(box, made, 1).status_code == 404


def test_what_was_not_painted_is_drawn(box: Workspace) -> None:
    made = Labelled(box)
    box.store.run("UPDATE data_rows SET mediaAttributes = ?", [json.dumps({"width": 9, "height": 9})])
    shapes: dict[str, Any] = {
        "a": {"bounding_box": {"top": 1, "left": 2, "height": 2, "width": 3}},
        "b": {"polygon": [{"x": 0, "y": 0}, {"x": 4, "y": 0}, {"x": 0, "y": 4}]},
        "c": {"point": {"x": 8.4, "y": 0.2}},
        "d": {"cuboid": CUBOID},
        "e": {"bounding_box": {"top": -5, "left": -5, "height": 6, "width": 100}},
        "f": {"line": [{"x": 0, "y": 0}, {"x": 4, "y": 0}]},
    }
    objects = [{"feature_id": key * 25, **value} for key, value in shapes.items()]
    made.label({"objects": objects, "classifications": [], "relationships": []})

    def white(letter: str) -> set[tuple[int, int]]:
        rows = pixels(mask(box, made, ident=letter * 25).content)
        assert {len(row) for row in rows} == {9} == {len(rows)}
        return {(x, y) for y, row in enumerate(rows) for x, value in enumerate(row) if value}

    assert white("a") == {(x, y) for x in (2, 3, 4) for y in (1, 2)}
    assert white("b") == {(x, y) for x in range(4) for y in range(4) if x + y < 3}
    assert white("c") == {(8, 0)}
    assert white("d") >= {(x, y) for x in range(4, 8) for y in range(4, 8)}
    assert white("d") >= {(x, y) for x in range(2, 6) for y in range(2, 6)}
    assert not {(7, 2), (2, 7)} & white("d")
    assert white("e") == {(x, 0) for x in range(9)}
    assert mask(box, made, ident="f" * 25).status_code == 404


def test_a_mask_of_an_asset_of_unknown_size_is_just_large_enough(box: Workspace) -> None:
    made = labelled(box, bounding_box={"top": 1, "left": 0, "height": 1, "width": 2})
    assert pixels(mask(box, made).content) == [[0, 0], [255, 255]]


@pytest.mark.parametrize(
    "value",
    [
        {"mask": {"file": "http://127.0.0.1:1/files/c000000000000000000000000/none.png"}},
        {"mask": {"uri": "https://elsewhere.example/mask.png", "color": [1, 2, 3]}},
        {"mask": {"uri": "http://[", "color": [1, 2, 3]}},
        {"mask": {}},
        {"polygon": [{"x": 0, "y": 0}, {"x": 1e12, "y": 0}, {"x": 0, "y": 1e12}]},
        {"bounding_box": {"top": 0, "left": 0, "height": 1, "width": 0}},
    ],
)
def test_a_mask_that_cannot_be_read_is_not_there(box: Workspace, value: Any) -> None:
    answer = mask(box, labelled(box, **value))
    if value.get("bounding_box"):
        assert pixels(answer.content) == [[0]]
    else:
        assert (answer.status_code, answer.json()["code"]) == (404, "RESOURCE_NOT_FOUND")


def test_an_image_of_another_sort_is_served_as_it_is(box: Workspace) -> None:
    made = labelled(box, mask={"uri": kept(box, b"GIF89a", "a.gif", "image/gif"), "color": [1, 2, 3]})
    answer = mask(box, made)
    assert (answer.content, answer.headers["content-type"]) == (b"GIF89a", "image/gif")


def test_a_mask_is_shown_to_its_own_people_only(box: Workspace) -> None:
    made = labelled(box, mask={"file": kept(box, png(1, 1, [b"\0\0"], 0))})
    other = Labelled(box)
    path = f"/api/v1/projects/{made.project}/annotations/{IDENT}/index/1/mask"
    assert box.client.get(path).status_code == 401
    assert box.client.get(path, headers=box.stranger().headers).status_code == 404
    assert mask(box, other).status_code == 404
    for index in ("0", "2", "x", "-1", "1e3", "9" * 30):
        assert mask(box, made, index).status_code == 404  # type: ignore[arg-type]
    assert mask(box, made, ident="nobody").status_code == 404


def test_a_mask_goes_with_its_label(box: Workspace) -> None:
    made = labelled(box, bounding_box={"top": 0, "left": 0, "height": 1, "width": 1})
    assert mask(box, made).status_code == 200
    label = box.store.value("SELECT id FROM labels")
    box.ask("mutation ($l: ID!) { deleteLabels(labelIds: [$l]) { id } }", l=label)
    assert mask(box, made).status_code == 404
    box.ask("mutation ($r: ID!) { deleteDataRows(where: {dataRowIds: [$r]}) { id } }", r=made.rows[0])
    assert box.store.value("SELECT count(*) FROM label_objects") == 0


def test_the_index_follows_what_a_label_says(box: Workspace) -> None:
    made = Labelled(box)
    label = made.label(ANNOTATIONS)
    found = "SELECT featureId FROM label_objects WHERE labelId = ? ORDER BY featureId"
    letters = [row["featureId"][0] for row in box.store.rows(found, [label])]
    assert letters == list("abcdef")
    for odd in ('{"objects": ["text", 1, {"feature_id": 5}, {}]}', "[]", "no JSON"):
        box.store.update("labels", label, {"annotations": odd})
        assert box.store.rows(found, [label]) == []


@pytest.mark.parametrize(
    ("color_type", "depth", "more", "rows"),
    [
        (0, 1, b"", [b"\0\xa0"]),
        (0, 2, b"", [b"\0\xcc"]),
        (0, 8, b"", [b"\0\xff\0\xff\0"]),
        (0, 16, b"", [b"\0\xff\xff\0\0\xff\xff\0\0"]),
        (3, 4, bytes([0, 0, 0, 255, 255, 255]), [b"\0\x10\x10"]),
        (4, 8, b"", [b"\0\xff\x01\0\x02\xff\x03\0\x04"]),
        (2, 8, b"", [b"\0" + (b"\xff" * 3 + b"\0" * 3) * 2]),
        (6, 8, b"", [b"\0" + (b"\xff" * 4 + b"\0\0\0\xff") * 2]),
        (2, 16, b"", [b"\0" + (b"\xff" * 6 + b"\0" * 6) * 2]),
    ],
)
def test_colours_are_found_in_every_kind_of_image(
    color_type: int, depth: int, more: bytes, rows: list[bytes]
) -> None:
    image = images.read(png(4, 1, rows, color_type, depth, more))
    assert list(images.where_color(image, (255, 255, 255))) == [b"\xff\0\xff\0"]
    assert list(images.where_color(image, (255, 0, 255))) == [bytes(4)]


def filtered(rows: list[bytes], kind: int, step: int) -> list[bytes]:
    """Put a filter on rows, byte by byte, as the standard words it."""
    found, before = [], bytes(len(rows[0]))
    for row in rows:
        out = bytearray([kind])
        for place, value in enumerate(row):
            left = row[place - step] if place >= step else 0
            up, corner = before[place], before[place - step] if place >= step else 0
            near = min((left, up, corner), key=lambda each: abs(left + up - corner - each))
            guess = (0, left, up, (left + up) // 2, near)[kind]
            out.append((value - guess) & 0xFF)
        found.append(bytes(out))
        before = row
    return found


@pytest.mark.parametrize("kind", range(5))
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_filters_are_undone(kind: int, channels: int) -> None:
    rows = [bytes((7 * x * x + 13 * y * x + 200 * y) & 0xFF for x in range(11 * channels)) for y in range(5)]
    color_type = {1: 0, 3: 2, 4: 6}[channels]
    image = images.read(png(11, 5, filtered(rows, kind, channels), color_type))
    assert list(images.rows(image)) == rows


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x89PNG\r\n\x1a\n",
        png(1, 1, [b"\0"], 0),  # too short
        png(0, 1, [b"\0"], 0),
        png(1, 1, [b"\0\0"], 5),
        png(1, 1, [b"\0\0"], 0, 3),
        png(2**31, 2**31, [b"\0"], 0),
        png(1, 1, [b"\0\0"], 0).replace(zlib.compress(b"\0\0"), b"damaged!"),
    ],
)
def test_what_is_no_image_is_told(content: bytes) -> None:
    with pytest.raises(images.UnreadableError):
        images.read(content)


def test_an_unknown_filter_makes_an_image_unreadable() -> None:
    with pytest.raises(images.UnreadableError):
        list(images.rows(images.read(png(1, 1, [b"\x09\0"], 0))))


def test_a_token_opens_masks_and_nothing_else(box: Workspace) -> None:
    made = labelled(box, bounding_box={"top": 0, "left": 0, "height": 1, "width": 1})
    box.ask(EXPORT, p=made.project)
    url = box.ask(EXPORT, p=made.project)["downloadUrl"]
    uri = box.client.get(url).json()[0]["Label"]["objects"][0]["instanceURI"]
    assert pixels(box.client.get(uri).content) == [[255]]
    token = uri.partition("token=")[2]
    assert box.client.get(f"/api/v1/ontologies/x?token={token}").status_code == 401
    assert box.client.post(f"/graphql?token={token}", json={"query": "{ user { id } }"}).status_code == 401
    head, claims, signature = token.split(".")
    for wrong in (
        f"{head}.{claims}.{signature[:-2]}xx",
        f"{head}.e30.{signature}",
        "a.b.c",
        f"{head}.{claims}.",
    ):
        assert box.client.get(f"/masks/feature/{IDENT}", params={"token": wrong}).status_code == 401


def test_a_token_ends_after_thirty_days(box: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    made = labelled(box, bounding_box={"top": 0, "left": 0, "height": 1, "width": 1})
    box.ask(EXPORT, p=made.project)
    uri = box.client.get(box.ask(EXPORT, p=made.project)["downloadUrl"]).json()[0]["Label"]["objects"][0]
    monkeypatch.setattr(tokens, "_seconds", lambda _: 2**40)
    assert box.client.get(uri["instanceURI"]).status_code == 401


EXPORT = "mutation ($p: ID!) { exportLabels(data: {projectId: $p}) { downloadUrl } }"
