"""Uploads: bytes first, what they mean later (API reference 1.8 and 5.4)."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import UploadFile

from lbstack.sandbox import files
from lbstack.sandbox.context import Info, mutation
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.roles import LABEL
from lbstack.sandbox.store import Row

SDL = """
type UploadedFile { url: String!, filename: String! }
extend type Mutation { uploadFile(file: Upload!, contentLength: Int!, sign: Boolean): UploadedFile }
"""


@mutation("uploadFile", LABEL)
def _upload(_: Any, info: Info, file: UploadFile, contentLength: int, sign: bool = False) -> Row:  # noqa: N803
    """Keep a file. The declared length is not enforced: clients are known to miscount (5.4)."""
    name, told = named(file)
    return {"url": files.save(info.context, name, file.file, told), "filename": name}


def named(file: UploadFile) -> tuple[str, str | None]:
    """Return the name and type of a part; the vendor's client swaps the two for chunks of data rows (5.4)."""
    name, told = file.filename or "file", file.content_type
    if files.MEDIA_TYPE.fullmatch(name) and told and not files.MEDIA_TYPE.fullmatch(told):
        return told, name
    return name, told


KIND = Kind("upload", SDL, (), {"Mutation": {"uploadFile": _upload}})
