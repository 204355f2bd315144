"""The storage side of delegated access: a little world of IAM roles and buckets.

Labelbox's IAM checks ask another cloud. The sandbox has none, so the world that a check would find is
declared: ``put_role``, ``put_bucket`` and their kin write it into the sandbox's database. To put again
is to replace. ``judge.py`` answers from it.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lbstack.sandbox.policy import Document, check_document

LABELBOX_ACCOUNT = "340636424752"
APP_ORIGIN = "https://app.labelbox.com"

TABLES = (
    """CREATE TABLE IF NOT EXISTS aws_roles (
        arn TEXT PRIMARY KEY, trust TEXT NOT NULL, permissions TEXT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS cloud_buckets (
        provider TEXT NOT NULL, name TEXT NOT NULL, cors TEXT NOT NULL, readers TEXT NOT NULL,
        PRIMARY KEY (provider, name))""",
)

_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_ROLE_ARN = re.compile(r"arn:aws:iam::\d{12}:role/(?:[\x21-\x2e\x30-\x7e]+/)*[\w+=,.@-]{1,64}", re.ASCII)
_BUCKET = re.compile(r"(?!xn--)(?!(?:\d+\.){3}\d+$)[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]", re.ASCII)
_ORIGIN = re.compile(r"\*|https?://[A-Za-z0-9.*-]+(?::\d{1,5})?", re.ASCII)
_AZURE_CONTAINER = re.compile(r"https://[a-z0-9]{3,24}\.blob\.core\.windows\.net/[a-z0-9-]{3,63}", re.ASCII)
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)


@dataclass(frozen=True)
class Bucket:
    """A bucket's CORS rules and, away from AWS, who may read it."""

    cors: list[dict[str, list[str]]]
    readers: list[str]


def ensure_tables(conn: sqlite3.Connection) -> None:
    """Create this module's tables where they are missing."""
    for statement in TABLES:
        conn.execute(statement)


def put_role(
    conn: sqlite3.Connection,
    arn: str,
    external_id: str | None = None,
    trust: str = LABELBOX_ACCOUNT,
    read_buckets: Sequence[str] = (),
) -> None:
    """Declare a role with the documents that the delegated-access guide asks for.

    Without ``external_id`` the role lets everybody in the trusted account in: a role that Labelbox's
    checks must refuse. Raises ValueError on a malformed ARN, account, external id or bucket name.
    """
    _require(_ACCOUNT, trust, "an AWS account id (12 digits)")
    for bucket in read_buckets:
        _require(_BUCKET, bucket, "an S3 bucket name")
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{trust}:root"},
        "Action": "sts:AssumeRole",
    }
    if external_id is not None:
        _require(_EXTERNAL_ID, external_id, "an external id")
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    permissions = _read_permissions(read_buckets) if read_buckets else None
    put_role_document(conn, arn, {"Version": "2012-10-17", "Statement": [statement]}, permissions)


def put_role_document(
    conn: sqlite3.Connection, arn: str, trust_policy: Document, permissions: Document | None = None
) -> None:
    """Declare a role with documents of your own; ``permissions`` of None permit nothing.

    Raises ValueError on a malformed ARN or document.
    """
    _require(_ROLE_ARN, arn, "the ARN of an IAM role")
    check_document(trust_policy, trust=True)
    if permissions is not None:
        check_document(permissions, trust=False)
    row = (arn, json.dumps(trust_policy), json.dumps(permissions or {"Statement": []}))
    _write(conn, "INSERT OR REPLACE INTO aws_roles (arn, trust, permissions) VALUES (?, ?, ?)", row)


def put_bucket(conn: sqlite3.Connection, name: str, cors_origins: Sequence[str] = ()) -> None:
    """Declare an S3 bucket whose CORS rules let ``cors_origins`` GET; ValueError on a malformed one."""
    _require(_BUCKET, name, "an S3 bucket name")
    _put_bucket(conn, "AWS", name, cors_origins, ())


def put_gcp_bucket(
    conn: sqlite3.Connection, name: str, readers: Sequence[str], cors_origins: Sequence[str] = ()
) -> None:
    """Declare a Cloud Storage bucket that the service accounts ``readers`` (e-mails) may read."""
    _require(_BUCKET, name.replace("_", "-"), "a Cloud Storage bucket name")
    _put_bucket(conn, "GCP", name, cors_origins, readers)


def put_azure_container(
    conn: sqlite3.Connection, url: str, readers: Sequence[str], cors_origins: Sequence[str] = ()
) -> None:
    """Declare a blob container that the tenants ``readers`` (ids) may read."""
    _require(_AZURE_CONTAINER, url.rstrip("/"), "the URL of an Azure blob container")
    _put_bucket(conn, "Azure", url.rstrip("/"), cors_origins, readers)


def list_world(conn: sqlite3.Connection) -> dict[str, list[dict[str, Any]]]:
    """All that was declared: roles {arn, trust, permissions}, buckets {provider, name, cors, readers}."""
    ensure_tables(conn)
    roles = conn.execute("SELECT arn, trust, permissions FROM aws_roles ORDER BY arn").fetchall()
    buckets = conn.execute("SELECT provider, name, cors, readers FROM cloud_buckets ORDER BY provider, name")
    return {
        "roles": [{"arn": r[0], "trust": json.loads(r[1]), "permissions": json.loads(r[2])} for r in roles],
        "buckets": [
            {"provider": b[0], "name": b[1], "cors": json.loads(b[2]), "readers": json.loads(b[3])}
            for b in buckets.fetchall()
        ],
    }


def _read_permissions(buckets: Sequence[str]) -> Document:
    on_buckets = {
        "Effect": "Allow",
        "Action": ["s3:ListBucket", "s3:GetBucketLocation"],
        "Resource": [f"arn:aws:s3:::{bucket}" for bucket in buckets],
    }
    on_objects = {
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": [f"arn:aws:s3:::{bucket}/*" for bucket in buckets],
    }
    return {"Version": "2012-10-17", "Statement": [on_buckets, on_objects]}


def _put_bucket(
    conn: sqlite3.Connection, provider: str, name: str, origins: Sequence[str], readers: Sequence[str]
) -> None:
    for origin in origins:
        if not _ORIGIN.fullmatch(origin) or origin.count("*") > 1:
            raise ValueError(f"{origin!r} is not an origin such as {APP_ORIGIN} (one * at most)")
    rules = [{"AllowedMethods": ["GET"], "AllowedOrigins": list(origins)}] if origins else []
    row = (provider, name, json.dumps(rules), json.dumps(list(readers)))
    _write(
        conn, "INSERT OR REPLACE INTO cloud_buckets (provider, name, cors, readers) VALUES (?, ?, ?, ?)", row
    )


def _write(conn: sqlite3.Connection, sql: str, row: tuple[str, ...]) -> None:
    ensure_tables(conn)
    with conn:
        conn.execute(sql, row)


def _require(pattern: re.Pattern[str], text: str, what: str) -> None:
    if not pattern.fullmatch(text):
        raise ValueError(f"{text!r} is not {what}")


def find_role(conn: sqlite3.Connection, arn: str | None) -> tuple[Document, Document] | None:
    ensure_tables(conn)
    row = conn.execute("SELECT trust, permissions FROM aws_roles WHERE arn = ?", (arn,)).fetchone()
    return (json.loads(row[0]), json.loads(row[1])) if row else None


def find_bucket(conn: sqlite3.Connection, provider: str, name: str) -> Bucket | None:
    ensure_tables(conn)
    found = "SELECT cors, readers FROM cloud_buckets WHERE provider = ? AND name = ?"
    row = conn.execute(found, (provider, name.rstrip("/"))).fetchone()
    return Bucket(json.loads(row[0]), json.loads(row[1])) if row else None
