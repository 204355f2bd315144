"""The trust and permission rules that an IAM integration is judged by."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from lbstack.sandbox import aws
from lbstack.sandbox.judge import Check, Integration, judge_dataset, judge_integration
from lbstack.sandbox.object_urls import ObjectLocation, locate
from lbstack.sandbox.policy import Request, Verdict, evaluate

OWN = "cabcdefghijklmnopqrstuvwx"
ROLE = "arn:aws:iam::123456789012:role/labelbox"
LABELBOX = aws.LABELBOX_ACCOUNT


@pytest.fixture
def conn() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    yield connection
    connection.close()


def trust(principal: Any, condition: Any = None, effect: str = "Allow", **more: Any) -> dict[str, Any]:
    statement = {"Effect": effect, "Principal": principal, "Action": "sts:AssumeRole", **more}
    if condition is not None:
        statement["Condition"] = condition
    return statement


def verdict(*statements: dict[str, Any], external_id: str | None = None, arn: str | None = None) -> Verdict:
    request = Request("sts:AssumeRole", LABELBOX, arn=arn, external_id=external_id)
    return evaluate({"Version": "2012-10-17", "Statement": list(statements)}, request, trust=True)


def demands(external_id: Any, operator: str = "StringEquals") -> dict[str, Any]:
    return {operator: {"sts:ExternalId": external_id}}


def results(checks: list[Check]) -> dict[str, bool]:
    return {check.name: check.success for check in checks}


def judged(
    conn: sqlite3.Connection, *, reader: str | None = ROLE, bucket: str | None = None
) -> dict[str, bool]:
    return results(judge_integration(conn, Integration(OWN, "AWS", reader, bucket)))


@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        ({"AWS": f"arn:aws:iam::{LABELBOX}:root"}, Verdict.ALLOWED),
        ({"AWS": LABELBOX}, Verdict.ALLOWED),
        ({"AWS": ["111122223333", LABELBOX]}, Verdict.ALLOWED),
        ({"AWS": "*"}, Verdict.ALLOWED),
        ("*", Verdict.ALLOWED),
        ({"AWS": "arn:aws:iam::111122223333:root"}, Verdict.DENIED),
        ({"AWS": "arn:aws:iam::111122223333:user/labelbox"}, Verdict.DENIED),
        ({"Service": "ec2.amazonaws.com"}, Verdict.DENIED),
        ({"Federated": "cognito-identity.amazonaws.com"}, Verdict.DENIED),
        ({"AWS": f"arn:aws:iam::{LABELBOX}:user/somebody"}, Verdict.UNKNOWN),
        ({"AWS": f"arn:aws:iam::{LABELBOX}:user/*"}, Verdict.UNKNOWN),
        ({"AWS": "arn:aws:iam::*:root"}, Verdict.UNKNOWN),
    ],
)
def test_a_trust_policy_lets_in_whom_its_principal_names(principal: Any, expected: Verdict) -> None:
    assert verdict(trust(principal)) is expected


def test_an_exact_arn_lets_in_that_identity_and_no_other_of_its_account() -> None:
    named = trust({"AWS": f"arn:aws:iam::{LABELBOX}:user/signer"})
    assert verdict(named, arn=f"arn:aws:iam::{LABELBOX}:user/signer") is Verdict.ALLOWED
    assert verdict(named, arn=f"arn:aws:iam::{LABELBOX}:user/other") is Verdict.DENIED


@pytest.mark.parametrize(
    ("condition", "given", "expected"),
    [
        (demands(OWN), OWN, Verdict.ALLOWED),
        (demands(OWN), "other", Verdict.DENIED),
        (demands(OWN), None, Verdict.DENIED),
        (demands(["other", OWN]), OWN, Verdict.ALLOWED),
        (demands("cabc*"), "cabcd", Verdict.DENIED),
        (demands("cabc*", "StringLike"), "cabcd", Verdict.ALLOWED),
        (demands("cabc?", "StringLike"), "cabcde", Verdict.DENIED),
        (demands("*", "StringLike"), None, Verdict.DENIED),
        ({"StringEquals": {"STS:externalid": OWN}}, OWN, Verdict.ALLOWED),
        (demands(OWN, "StringEqualsIfExists"), OWN, Verdict.UNKNOWN),
        (demands(OWN, "ForAnyValue:StringEquals"), OWN, Verdict.UNKNOWN),
        ({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, OWN, Verdict.UNKNOWN),
        ({**demands(OWN), "Bool": {"aws:SecureTransport": "true"}}, OWN, Verdict.UNKNOWN),
        ({**demands("other"), "Bool": {"aws:SecureTransport": "true"}}, OWN, Verdict.DENIED),
        (demands("${aws:username}"), "${aws:username}", Verdict.UNKNOWN),
    ],
)
def test_a_condition_on_the_external_id_is_held(condition: Any, given: str | None, expected: Verdict) -> None:
    assert verdict(trust("*", condition), external_id=given) is expected


def test_an_explicit_deny_beats_any_allow() -> None:
    allow = trust({"AWS": LABELBOX}, demands(OWN))
    assert verdict(allow, trust("*", effect="Deny"), external_id=OWN) is Verdict.DENIED
    assert verdict(allow, trust("*", demands("other"), effect="Deny"), external_id=OWN) is Verdict.ALLOWED


def test_a_deny_that_cannot_be_evaluated_leaves_the_answer_open() -> None:
    deny = trust("*", {"StringNotEquals": {"sts:ExternalId": OWN}}, effect="Deny")
    assert verdict(trust("*"), deny, external_id=OWN) is Verdict.UNKNOWN


def test_what_no_statement_allows_is_denied() -> None:
    assert verdict() is Verdict.DENIED
    assert verdict(trust("*", Action="sts:TagSession")) is Verdict.DENIED


@pytest.mark.parametrize(
    "action", ["sts:*", "*", "STS:assumerole", "sts:Assume*", ["sts:TagSession", "sts:AssumeRole"]]
)
def test_actions_match_by_wildcard_and_without_regard_to_case(action: Any) -> None:
    assert verdict(trust("*", Action=action)) is Verdict.ALLOWED


def test_not_principal_and_not_action_are_never_taken_for_allowed() -> None:
    not_principal = {"Effect": "Allow", "NotPrincipal": {"AWS": "1"}, "Action": "sts:AssumeRole"}
    not_action = {"Effect": "Allow", "Principal": "*", "NotAction": "sts:TagSession"}
    assert verdict(not_principal) is Verdict.UNKNOWN
    assert verdict(not_action) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ("arn:aws:s3:::teeth/*", Verdict.ALLOWED),
        ("arn:aws:s3:::*", Verdict.ALLOWED),
        ("*", Verdict.ALLOWED),
        (["arn:aws:s3:::bones/*", "arn:aws:s3:::teeth/a/?.png"], Verdict.ALLOWED),
        ("arn:aws:s3:::teeth", Verdict.DENIED),
        ("arn:aws:s3:::Teeth/*", Verdict.DENIED),
        ("arn:aws:s3:::teeth/b/*", Verdict.DENIED),
        ("arn:aws:s3:::${aws:PrincipalTag/team}/*", Verdict.UNKNOWN),
    ],
)
def test_a_resource_matches_by_wildcard_across_slashes(resource: Any, expected: Verdict) -> None:
    policy = {"Statement": {"Effect": "Allow", "Action": "s3:Get*", "Resource": resource}}
    request = Request("s3:GetObject", "", resource="arn:aws:s3:::teeth/a/1.png")
    assert evaluate(policy, request, trust=False) is expected


def test_a_role_that_demands_the_integrations_id_makes_it_valid(conn: sqlite3.Connection) -> None:
    aws.put_role(conn, ROLE, OWN)
    assert judged(conn) == {"AWSAssumeRole": True, "AWSExternalID": True}


def test_an_integration_without_a_role_is_not_valid(conn: sqlite3.Connection) -> None:
    assert judged(conn, reader=None) == {"AWSAssumeRole": False, "AWSExternalID": False}


def test_a_role_that_does_not_exist_fails_the_assume_role_check(conn: sqlite3.Connection) -> None:
    assert judged(conn)["AWSAssumeRole"] is False


def test_a_role_with_another_external_id_fails_by_the_name_of_that_check(conn: sqlite3.Connection) -> None:
    aws.put_role(conn, ROLE, "cother")
    assert judged(conn) == {"AWSAssumeRole": True, "AWSExternalID": False}


def test_a_role_that_demands_no_external_id_is_a_confused_deputy(conn: sqlite3.Connection) -> None:
    aws.put_role(conn, ROLE)
    assume, external = judge_integration(conn, Integration(OWN, "AWS", ROLE))
    assert (assume.success, external.success) == (True, False)
    assert external.message == "the role can be assumed without an external id"


@pytest.mark.parametrize("pattern", ["*", "c*", f"{OWN[:-1]}?", f"*{OWN[1:]}"])
def test_a_role_that_takes_other_integrations_ids_is_a_confused_deputy(
    conn: sqlite3.Connection, pattern: str
) -> None:
    document = {"Statement": [trust({"AWS": LABELBOX}, demands(pattern, "StringLike"))]}
    aws.put_role_document(conn, ROLE, document)
    assert judged(conn) == {"AWSAssumeRole": True, "AWSExternalID": False}


def test_a_role_shared_by_two_integrations_is_valid_for_each(conn: sqlite3.Connection) -> None:
    aws.put_role_document(conn, ROLE, {"Statement": [trust({"AWS": LABELBOX}, demands([OWN, "cother"]))]})
    assert judged(conn) == {"AWSAssumeRole": True, "AWSExternalID": True}


def test_a_second_statement_without_a_condition_undoes_the_first(conn: sqlite3.Connection) -> None:
    statements = [trust({"AWS": LABELBOX}, demands(OWN)), trust({"AWS": LABELBOX})]
    aws.put_role_document(conn, ROLE, {"Statement": statements})
    assert judged(conn)["AWSExternalID"] is False


def test_a_role_that_trusts_another_account_fails_the_assume_role_check(conn: sqlite3.Connection) -> None:
    aws.put_role(conn, ROLE, OWN, trust="111122223333")
    assert judged(conn) == {"AWSAssumeRole": False, "AWSExternalID": False}


def test_a_trust_policy_that_cannot_be_judged_is_not_valid_and_says_so(conn: sqlite3.Connection) -> None:
    aws.put_role_document(conn, ROLE, {"Statement": trust({"AWS": LABELBOX}, {"Bool": {"aws:x": "1"}})})
    assume, external = judge_integration(conn, Integration(OWN, "AWS", ROLE))
    assert not assume.success
    assert "cannot be judged" in assume.message
    assert not external.success


def test_a_declared_read_bucket_must_exist_and_be_readable(conn: sqlite3.Connection) -> None:
    aws.put_role(conn, ROLE, OWN)
    assert judged(conn, bucket="teeth") == {
        "AWSAssumeRole": True, "AWSExternalID": True, "AWSReadBucket": False, "AWSBucketExists": False,
    }  # fmt: skip
    aws.put_role(conn, ROLE, OWN, read_buckets=["teeth"])
    assert judged(conn, bucket="teeth")["AWSReadBucket"] is True
    aws.put_bucket(conn, "teeth")
    assert all(judged(conn, bucket="teeth").values())


def test_a_permission_that_covers_part_of_the_read_bucket_is_not_enough(conn: sqlite3.Connection) -> None:
    some = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::teeth/2024/*"}
    aws.put_role_document(conn, ROLE, {"Statement": trust({"AWS": LABELBOX})}, {"Statement": some})
    assert judged(conn, bucket="teeth")["AWSReadBucket"] is False


def test_to_put_a_role_again_is_to_replace_it(conn: sqlite3.Connection) -> None:
    aws.put_role(conn, ROLE, "cother", read_buckets=["teeth"])
    aws.put_role(conn, ROLE, OWN)
    assert judged(conn)["AWSExternalID"] is True
    assert [role["permissions"] for role in aws.list_world(conn)["roles"]] == [{"Statement": []}]


def test_an_integration_of_another_cloud_is_not_valid_until_its_bucket_is_declared(
    conn: sqlite3.Connection,
) -> None:
    google = Integration(OWN, "GCP", "sa@labelbox.iam.gserviceaccount.com", "teeth")
    azure = Integration(OWN, "Azure", "tenant", "https://teeth.blob.core.windows.net/raw")
    for integration in (google, azure):
        (check,) = judge_integration(conn, integration)
        assert not check.success
        assert "cannot be judged" in check.message
    aws.put_gcp_bucket(conn, "teeth", ["sa@labelbox.iam.gserviceaccount.com"])
    aws.put_azure_container(conn, "https://teeth.blob.core.windows.net/raw/", ["other"])
    assert results(judge_integration(conn, google)) == {"GCPReadBucket": True}
    assert results(judge_integration(conn, azure)) == {"AzureReadBucket": False}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://teeth/a/1.png", ("AWS", "teeth", "a/1.png")),
        ("https://teeth.s3.amazonaws.com/1.png", ("AWS", "teeth", "1.png")),
        ("https://teeth.s3.eu-west-1.amazonaws.com/a%20b.png?x=1", ("AWS", "teeth", "a b.png")),
        ("https://my.teeth.s3-us-west-2.amazonaws.com/1.png", ("AWS", "my.teeth", "1.png")),
        ("https://s3.amazonaws.com/teeth/a/1.png", ("AWS", "teeth", "a/1.png")),
        ("https://s3.eu-west-1.amazonaws.com/teeth/1.png", ("AWS", "teeth", "1.png")),
        ("gs://teeth/1.png", ("GCP", "teeth", "1.png")),
        ("https://storage.googleapis.com/teeth/1.png", ("GCP", "teeth", "1.png")),
        (
            "https://teeth.blob.core.windows.net/raw/1.png",
            ("Azure", "https://teeth.blob.core.windows.net/raw", "1.png"),
        ),
        ("https://example.com/teeth/1.png", None),
        ("https://teeth.s3.amazonaws.com.example.com/1.png", None),
        ("https://s3.amazonaws.com/teeth", None),
        ("s3://teeth", None),
        ("some raw text", None),
        ("http://[::1/x", None),
    ],
)
def test_a_row_url_names_a_bucket_and_a_key(url: str, expected: tuple[str, str, str] | None) -> None:
    assert locate(url) == (ObjectLocation(*expected) if expected else None)


def dataset(conn: sqlite3.Connection, *urls: str) -> dict[str, bool]:
    return results(judge_dataset(conn, "teeth", Integration(OWN, "AWS", ROLE), urls))


def test_a_dataset_without_a_signer_is_not_valid(conn: sqlite3.Connection) -> None:
    assert results(judge_dataset(conn, "teeth", None, [])) == {"DatasetSigner": False}


def test_a_dataset_without_rows_is_judged_by_its_signer(conn: sqlite3.Connection) -> None:
    assert dataset(conn) == {"DatasetSigner": False}
    aws.put_role(conn, ROLE, OWN)
    assert dataset(conn) == {"DatasetSigner": True}


def test_every_row_must_lie_in_an_open_bucket_that_the_role_may_read(conn: sqlite3.Connection) -> None:
    aws.put_role(conn, ROLE, OWN, read_buckets=["teeth"])
    aws.put_bucket(conn, "teeth", ["https://*.labelbox.com"])
    everything = {
        "DatasetSigner": True,
        "AWSReadObject": True,
        "AWSBucketExists": True,
        "AWSBucketCORS": True,
    }
    assert dataset(conn, "s3://teeth/1.png", "https://teeth.s3.amazonaws.com/2.png") == everything
    assert dataset(conn, "s3://teeth/1.png", "s3://bones/1.png") == {
        "DatasetSigner": True, "AWSReadObject": False, "AWSBucketExists": False, "AWSBucketCORS": False,
    }  # fmt: skip
    assert dataset(conn, "https://example.com/1.png")["AWSReadObject"] is False


@pytest.mark.parametrize("origins", [[], ["https://example.com"], ["http://app.labelbox.com"]])
def test_a_bucket_that_does_not_let_the_app_in_fails_the_cors_check(
    conn: sqlite3.Connection, origins: list[str]
) -> None:
    aws.put_role(conn, ROLE, OWN, read_buckets=["teeth"])
    aws.put_bucket(conn, "teeth", origins)
    assert dataset(conn, "s3://teeth/1.png")["AWSBucketCORS"] is False


def test_a_signer_that_has_become_invalid_fails_the_dataset(conn: sqlite3.Connection) -> None:
    aws.put_role(conn, ROLE, "cother", read_buckets=["teeth"])
    aws.put_bucket(conn, "teeth", ["*"])
    found = dataset(conn, "s3://teeth/1.png")
    assert found == {
        "DatasetSigner": False,
        "AWSReadObject": True,
        "AWSBucketExists": True,
        "AWSBucketCORS": True,
    }


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "labelbox",
        "arn:aws:iam::123:role/x",
        "arn:aws:iam::123456789012:user/x",
        "arn:aws:iam::123456789012:role/",
    ],
)
def test_a_malformed_role_arn_is_refused(conn: sqlite3.Connection, arn: str) -> None:
    with pytest.raises(ValueError, match="is not the ARN"):
        aws.put_role(conn, arn, OWN)


@pytest.mark.parametrize("name", ["", "ab", "Teeth", "te_eth", "-teeth", "te..eth", "192.168.0.1", "t" * 64])
def test_a_malformed_bucket_name_is_refused(conn: sqlite3.Connection, name: str) -> None:
    with pytest.raises(ValueError, match="is not an S3 bucket name"):
        aws.put_bucket(conn, name)


@pytest.mark.parametrize("origin", ["app.labelbox.com", "https://*.*.com", "https://a.com/path", ""])
def test_a_malformed_origin_is_refused(conn: sqlite3.Connection, origin: str) -> None:
    with pytest.raises(ValueError, match="is not an origin"):
        aws.put_bucket(conn, "teeth", [origin])


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ({"Effect": "Allow", "Action": "sts:AssumeRole"}, "names a Principal"),
        ({"Effect": "Permit", "Principal": "*", "Action": "sts:AssumeRole"}, "Effect"),
        ({"Effect": "Allow", "Principal": "*"}, "Action"),
        ({"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}, "no Resource"),
        ({"Effect": "Allow", "Principal": "*", "Action": "*", "Conditions": {}}, "unknown element"),
        ({"Effect": "Allow", "Principal": "*", "Action": "*", "Condition": {"Bool": "x"}}, "Condition"),
    ],
)
def test_a_malformed_trust_policy_is_refused(conn: sqlite3.Connection, statement: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        aws.put_role_document(conn, ROLE, {"Statement": [statement]})
