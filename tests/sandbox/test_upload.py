"""Uploads, as the vendor's client sends them, and the files that are served (API reference 5.3 and 5.4)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from workspace import Workspace

UPLOAD = """mutation UploadFile($file: Upload!, $contentLength: Int!, $sign: Boolean) {
  uploadFile(file: $file, contentLength: $contentLength, sign: $sign) { url filename } }"""


def upload(box: Workspace, part: tuple[Any, ...], name: str = "1") -> Any:
    variables = {"file": None, "contentLength": 3, "sign": False}
    form = {
        "operations": json.dumps({"query": UPLOAD, "variables": variables}),
        "map": json.dumps({name: ["variables.file"]}),
    }
    return box.client.post("/graphql", data=form, files={name: part}, headers=box.headers).json()


@pytest.mark.parametrize(
    ("part", "name", "kind"),
    [
        (("a.png", b"png", "image/png"), "a.png", "image/png"),
        (("a.txt", b"txt"), "a.txt", "text/plain; charset=utf-8"),
        (("1", b"raw"), "1", "application/octet-stream"),
        (("application/json", b"[]", "json_import.json"), "json_import.json", "application/json"),
        (("../../etc/passwd", b"no", "not a type"), "../../etc/passwd", "application/octet-stream"),
    ],
)
def test_what_was_uploaded_is_served_with_type_and_length(
    box: Workspace, part: tuple[Any, ...], name: str, kind: str
) -> None:
    made = upload(box, part)["data"]["uploadFile"]
    assert made["filename"] == name
    for method in ("GET", "HEAD"):
        answer = box.client.request(method, made["url"])
        assert answer.status_code == 200
        assert answer.headers["content-type"] == kind
        assert answer.headers["content-length"] == str(len(part[1]))
    assert box.client.get(made["url"]).content == part[1]


def test_a_part_of_a_file_is_served(box: Workspace) -> None:
    url = upload(box, ("a.bin", b"0123456789"))["data"]["uploadFile"]["url"]
    answer = box.client.get(url, headers={"range": "bytes=2-4"})
    assert (answer.status_code, answer.content) == (206, b"234")


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({}, "needs the part `operations`"),
        ({"operations": "{", "map": "{}"}, "not valid JSON"),
        ({"operations": "{}", "map": "[]"}, "must be JSON objects"),
        ({"operations": "{}", "map": '{"2": ["variables.file"]}'}, "no file of this request"),
        ({"operations": "{}", "map": '{"1": ["variables.file"]}'}, "where no file belongs"),
        ({"operations": '{"variables": {"file": 1}}', "map": '{"1": ["variables.file"]}'}, "where no file"),
        ({"operations": '{"variables": {}}', "map": '{"1": ["variables.file"]}'}, "non-empty `query`"),
    ],
)
def test_a_malformed_upload_is_refused(box: Workspace, form: dict[str, str], message: str) -> None:
    answer = box.client.post("/graphql", data=form, files={"1": b"x"}, headers=box.headers)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert message in error["message"]


def test_a_body_that_is_no_multipart_is_refused(box: Workspace) -> None:
    for kind, body in [("multipart/form-data", b"x"), ("multipart/form-data; boundary=a", b"--b\r\n")]:
        answer = box.client.post("/graphql", content=body, headers={**box.headers, "content-type": kind})
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


def test_an_upload_is_a_file_not_a_string(box: Workspace) -> None:
    document = 'mutation { uploadFile(file: "x", contentLength: 1) { url } }'
    assert "Upload" in box.refused(document)[1]
    assert box.refused(UPLOAD, file="x", contentLength=1)[0] == "BAD_USER_INPUT"
