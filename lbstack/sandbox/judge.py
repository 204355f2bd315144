"""Answers Labelbox's IAM checks from the roles and buckets that were declared (``aws.py``).

Rules: API reference 1.2 and the delegated-access guide. Labelbox's AWS account must be trusted, on the
condition that it presents the integration's id as External ID, and nobody without it may come in. What
cannot be judged from what was declared is not valid.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from lbstack.sandbox.aws import APP_ORIGIN, LABELBOX_ACCOUNT, Bucket, find_bucket, find_role
from lbstack.sandbox.object_urls import ObjectLocation, locate
from lbstack.sandbox.policy import Document, Request, Verdict, evaluate, external_ids


@dataclass(frozen=True)
class Check:
    """One line of a validation's answer."""

    name: str
    success: bool
    message: str


@dataclass(frozen=True)
class Integration:
    """What the judge needs to know of an IAM integration; ``id`` is the External ID of an AWS one.

    ``bucket`` is the declared read bucket (AWS, GCP) or container URL (Azure); ``reader`` is who reads
    it for Labelbox: the role's ARN, the service account's e-mail, or the tenant id.
    """

    id: str
    provider: str
    reader: str | None = None
    bucket: str | None = None


def judge_integration(conn: sqlite3.Connection, integration: Integration) -> list[Check]:
    """The checks of ``validateIamIntegration``; the integration is valid when all of them succeed."""
    if integration.provider != "AWS":
        return [_foreign_bucket(conn, integration)]
    role = find_role(conn, integration.reader)
    if role is None:
        what = f"role {integration.reader} does not exist" if integration.reader else "no role ARN is set yet"
        return [Check("AWSAssumeRole", False, what), Check("AWSExternalID", False, f"not checked: {what}")]
    checks = [_assume_role(role[0]), _external_id(role[0], integration.id)]
    if integration.bucket:
        probe = ObjectLocation("AWS", integration.bucket, "any/object")
        unreadable = _refusals(conn, integration, [probe])
        message = unreadable[0] if unreadable else f"the role may read {integration.bucket}"
        checks.append(Check("AWSReadBucket", not unreadable, message))
        checks.append(_buckets_exist(conn, "AWS", [integration.bucket]))
    return checks


def judge_dataset(
    conn: sqlite3.Connection, dataset: str, signer: Integration | None, urls: Iterable[str]
) -> list[Check]:
    """The checks of ``validateDataset``: the signer judged afresh, then the URL of every row of ``dataset``.

    A dataset without rows is judged by its signer alone (API reference 1.2: the validation is of use
    only when the dataset has at least one data row).
    """
    if signer is None:
        return [Check("DatasetSigner", False, f"dataset {dataset} has no IAM integration")]
    failed = [check for check in judge_integration(conn, signer) if not check.success]
    message = "; ".join(f"{check.name}: {check.message}" for check in failed) or "the integration is valid"
    checks = [Check("DatasetSigner", not failed, message)]
    places: list[ObjectLocation] = []
    strangers: list[str] = []
    for url in urls:
        place = locate(url)
        if place is not None and place.provider == signer.provider:
            places.append(place)
        else:
            strangers.append(f"{url} names no object of {signer.provider}")
    if not places and not strangers:
        return checks
    refusals = strangers + _refusals(conn, signer, places)
    message = _first_of(refusals) or "the integration may read every data row"
    checks.append(Check(f"{signer.provider}ReadObject", not refusals, message))
    buckets = sorted({place.bucket for place in places})
    return [
        *checks,
        _buckets_exist(conn, signer.provider, buckets),
        _buckets_cors(conn, signer.provider, buckets),
    ]


def _assume_role(trust: Document) -> Check:
    # Whether the id is the right one is AWSExternalID's matter: here any id the role would accept will do.
    candidates = [None, *sorted(external_ids(trust))]
    verdicts = {_assume(trust, candidate) for candidate in candidates}
    if Verdict.ALLOWED in verdicts:
        return Check("AWSAssumeRole", True, f"the role trusts AWS account {LABELBOX_ACCOUNT}")
    if Verdict.UNKNOWN in verdicts:
        return Check("AWSAssumeRole", False, "the trust policy uses what cannot be judged here")
    return Check("AWSAssumeRole", False, f"the role does not trust AWS account {LABELBOX_ACCOUNT}")


def _external_id(trust: Document, own: str) -> Check:
    name = "AWSExternalID"
    if _assume(trust, own) is not Verdict.ALLOWED:
        return Check(name, False, f"the role does not accept the external id {own}")
    if _assume(trust, None) is not Verdict.DENIED:
        return Check(name, False, "the role can be assumed without an external id")
    if any(_assume(trust, other) is not Verdict.DENIED for other in _neighbours(own)):
        return Check(name, False, "the role accepts external ids of other integrations")
    return Check(name, True, f"the role demands the external id {own}")


def _neighbours(own: str) -> Iterable[str]:
    """Ids that differ from ``own`` in one place, and so must be refused: what a wildcard would let in."""
    for place, char in enumerate(own):
        yield own[:place] + ("b" if char == "a" else "a") + own[place + 1 :]


def _assume(trust: Document, external_id: str | None) -> Verdict:
    request = Request("sts:AssumeRole", LABELBOX_ACCOUNT, external_id=external_id)
    return evaluate(trust, request, trust=True)


def _refusals(conn: sqlite3.Connection, signer: Integration, places: Iterable[ObjectLocation]) -> list[str]:
    """What of ``places`` the signer may not read, a sentence each."""
    if signer.provider != "AWS":
        return [
            f"{place.bucket} is not the bucket of this integration"
            for place in places
            if place.bucket != (signer.bucket or "").rstrip("/")
        ]
    role = find_role(conn, signer.reader)
    permissions: Document = role[1] if role else {}
    refused = []
    for place in places:
        resource = f"arn:aws:s3:::{place.bucket}/{place.key}"
        verdict = evaluate(permissions, Request("s3:GetObject", "", resource=resource), trust=False)
        if verdict is not Verdict.ALLOWED:
            refused.append(f"s3:GetObject on {resource}: {verdict.value}")
    return refused


def _foreign_bucket(conn: sqlite3.Connection, integration: Integration) -> Check:
    name = f"{integration.provider}ReadBucket"
    bucket = find_bucket(conn, integration.provider, integration.bucket or "")
    if bucket is None:
        return Check(
            name, False, f"cannot be judged here: {integration.bucket or 'no bucket'} is not declared"
        )
    if integration.reader not in bucket.readers:
        return Check(name, False, f"{integration.reader} may not read {integration.bucket}")
    return Check(name, True, f"{integration.reader} may read {integration.bucket}")


def _buckets_exist(conn: sqlite3.Connection, provider: str, names: Iterable[str]) -> Check:
    missing = [f"bucket {name} does not exist" for name in names if find_bucket(conn, provider, name) is None]
    return Check(f"{provider}BucketExists", not missing, _first_of(missing) or "every bucket exists")


def _buckets_cors(conn: sqlite3.Connection, provider: str, names: Iterable[str]) -> Check:
    closed = [
        f"bucket {name} does not let {APP_ORIGIN} GET"
        for name in names
        if not _lets_app_get(find_bucket(conn, provider, name))
    ]
    return Check(f"{provider}BucketCORS", not closed, _first_of(closed) or f"{APP_ORIGIN} may GET")


def _lets_app_get(bucket: Bucket | None) -> bool:
    if bucket is None:
        return False
    origins = [
        origin for rule in bucket.cors if "GET" in rule["AllowedMethods"] for origin in rule["AllowedOrigins"]
    ]
    return any(re.fullmatch(re.escape(origin).replace(r"\*", ".*"), APP_ORIGIN) for origin in origins)


def _first_of(problems: list[str]) -> str:
    if len(problems) > 1:
        return f"{problems[0]} (and {len(problems) - 1} more)"
    return problems[0] if problems else ""
