"""What opens an object store, and what is said when it stays closed: what is wrong, what to check, no secret."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from lbstack.errors import StackError, UsageError
from lbstack.redaction import HIDDEN, redacted
from lbstack.state.cell import Trouble, read, swap
from lbstack.state.remote_objects import ObjectCell
from tests.remote import azure, google
from tests.remote.buckets import Bucket, surrounded, xml
from tests.remote.clouds import CLOUDS
from tests.remote.misbehaving import Answer, Fault, Server

of_each_cloud = pytest.mark.parametrize("bucket", CLOUDS, indirect=True)
of_google = pytest.mark.parametrize("bucket", ["google"], indirect=True)
of_azure = pytest.mark.parametrize("bucket", ["azure"], indirect=True)


def no_pause(_: float) -> None:
    """Attempts follow each other at once."""


def opened(bucket: Bucket, environ: dict[str, str]) -> Iterator[ObjectCell]:
    """A cell for who has these variables, and no others of the kind."""
    with surrounded(environ):
        yield ObjectCell(bucket.url(), environ)


def closed(url: str, environ: dict[str, str]) -> str:
    """What is said to who has these variables."""
    with surrounded(environ), pytest.raises(StackError) as caught:
        read(ObjectCell(url, environ), no_pause)
    return str(caught.value)


# -- answers of stores -----------------------------------------------------------------------------


@of_each_cloud
@pytest.mark.parametrize(
    "answer",
    [Answer(404, b"<html>no such page</html>"), xml(404, "ResourceNotFound"), Answer(404)],
    ids=["proxy", "stranger", "bare"],
)
def test_only_the_word_of_the_store_that_nothing_is_there_makes_a_state_empty(
    bucket: Bucket, answer: Answer
) -> None:
    bucket.server.faults = [Fault("GET", answer, times=99)]
    with pytest.raises(Trouble, match="404 Not Found"):
        read(ObjectCell(bucket.url(), bucket.environ), no_pause)


@pytest.mark.parametrize(
    ("bucket", "answer"),
    [
        ("azure", azure.error(412, "LeaseIdMissing", "There is currently a lease on the blob.")),
        ("azure", azure.error(409, "BlobImmutableDueToPolicy", "This operation is not permitted.")),
        ("google", xml(403, "RetentionPolicyNotMet", "Object is subject to bucket's retention policy.")),
    ],
    indirect=["bucket"],
    ids=["lease", "immutable", "retention"],
)
def test_what_may_not_be_overwritten_by_anybody_was_not_written_by_another(
    bucket: Bucket, answer: Answer
) -> None:
    cell = ObjectCell(bucket.url(), bucket.environ)
    first = swap(cell, b"one", None)
    bucket.server.faults = [Fault("PUT", answer, times=99)]
    with pytest.raises(Trouble, match=r"cannot be written: 4.*end the lease, hold or retention"):
        swap(cell, b"two", first, no_pause)


@of_each_cloud
def test_a_bucket_that_is_gone_takes_no_write(bucket: Bucket) -> None:
    cell = ObjectCell(f"{bucket.scheme}://nowhere/state.json", bucket.environ)
    with pytest.raises(Trouble, match="no bucket of that name"):
        swap(cell, b"one", None, no_pause)


# -- Google's ways in ------------------------------------------------------------------------------


@of_google
def test_a_key_may_stand_in_the_environment_and_is_known_as_a_secret(bucket: Bucket) -> None:
    file = google.account()[1]
    environ = {
        "GOOGLE_SERVICE_ACCOUNT_KEY": file,
        "GOOGLE_BASE_URL": bucket.server.url,
    }
    for cell in opened(bucket, environ):
        assert swap(cell, b"one", None) == read(cell).version
    assert redacted(json.loads(file)["private_key"].splitlines()[1]) == HIDDEN


@of_google
def test_a_token_that_was_made_elsewhere_opens_a_bucket(bucket: Bucket) -> None:
    environ = {"GOOGLE_BEARER_TOKEN": google.LENT, "GOOGLE_BASE_URL": bucket.server.url}
    for cell in opened(bucket, environ):
        assert read(cell).data is None


@of_google
def test_the_identity_of_a_job_opens_a_bucket_until_its_own_service_denies_it(
    bucket: Bucket, tmp_path: Path
) -> None:
    file, job = tmp_path / "identity.json", tmp_path / "token"
    file.write_text(google.identity(bucket.server.url, job))
    job.write_text(google.OF_THE_JOB)
    environ = {"GOOGLE_APPLICATION_CREDENTIALS": str(file), "GOOGLE_BASE_URL": bucket.server.url}
    for cell in opened(bucket, environ):
        assert swap(cell, b"one", None) == read(cell).version
    job.write_text("token-of-another-job")
    said = closed(bucket.url(), environ)
    assert "no credentials" in said and "check GOOGLE_APPLICATION_CREDENTIALS" in said
    assert "token-of-another-job" not in said


def test_an_identity_needs_a_library_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.auth", None)
    file = tmp_path / "identity.json"
    file.write_text(google.identity("https://sts.example.com", tmp_path / "token"))
    environ = {"GOOGLE_APPLICATION_CREDENTIALS": str(file)}
    with surrounded(environ), pytest.raises(UsageError, match="pip install google-auth requests"):
        ObjectCell("gs://bucket/key", environ)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "the file with the credentials cannot be read"),
        ("{", "what should be credentials of Google's is none"),
        ("[]", "what should be credentials of Google's is none"),
        (
            google.account()[1].replace("BEGIN", "BEGAN"),
            "the private key of the service account cannot be read",
        ),
        (
            '{"type": "external_account", "audience": "word"}',
            "what should be credentials of Google's is none",
        ),
        ('{"type": "external_account", "credential_source": "word"}', "names is damaged"),
    ],
    ids=["absent", "torn", "other", "damaged key", "no identity", "damaged identity"],
)
def test_a_file_of_credentials_that_is_none_is_told(tmp_path: Path, content: str | None, said: str) -> None:
    file = tmp_path / "credentials.json"
    if content is not None:
        file.write_text(content)
    told = closed("gs://bucket/key", {"GOOGLE_APPLICATION_CREDENTIALS": str(file)})
    assert said in told and "GOOGLE_APPLICATION_CREDENTIALS" in told and "word" not in told


# -- Azure's ways in -------------------------------------------------------------------------------


def with_signature(bucket: Bucket, signature: str) -> dict[str, str]:
    kept = {name: value for name, value in bucket.environ.items() if name != "AZURE_STORAGE_ACCOUNT_KEY"}
    return {**kept, "AZURE_STORAGE_SAS_TOKEN": signature}


@of_azure
def test_a_shared_access_signature_opens_a_container_and_no_message_shows_it(bucket: Bucket) -> None:
    signature = azure.shared()
    bare = dict(azure.parse_qsl(signature))["sig"]
    for cell in opened(bucket, with_signature(bucket, signature)):
        first = swap(cell, b"one", None)
        second = swap(cell, b"two", first)
        cell.prove(b"two", second)
        bucket.server.faults = [Fault("GET", bucket.words.denied), Fault("GET", Answer(503), times=99)]
        for _ in range(2):
            with pytest.raises(StackError) as caught:
                read(cell, no_pause)
            assert bare not in str(caught.value) and "sig=" not in str(caught.value)
        bucket.server.faults = []
        cell.drop(b"two")
        assert read(cell).data is None
    assert redacted(f"GET /?a=b&sig={bare}") == f"GET /?a=b&sig={HIDDEN}"


@of_azure
@pytest.mark.parametrize(
    "signature",
    [azure.shared(lives=-timedelta(hours=1)), azure.shared().replace("sp=rwd", "sp=rwl")],
    ids=["expired", "changed"],
)
def test_a_signature_that_does_not_hold_is_told_with_what_to_check(bucket: Bucket, signature: str) -> None:
    told = closed(bucket.url(), with_signature(bucket, signature))
    assert "403 Forbidden, AuthenticationFailed; check AZURE_STORAGE_ACCOUNT_NAME" in told
    assert "AZURE_STORAGE_SAS_TOKEN" in told and "sig=" not in told


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, "AZURE_STORAGE_ACCOUNT_NAME is not set"),
        ({"AZURE_STORAGE_ACCOUNT_KEY": "no_word"}, "AZURE_STORAGE_ACCOUNT_KEY is no key"),
        ({"AZURE_STORAGE_SAS_TOKEN": "no_word"}, "AZURE_STORAGE_SAS_TOKEN is no shared access signature"),
        ({"AZURE_STORAGE_USE_EMULATOR": "no_word"}, "true or false"),
        (
            {"AZURE_CLIENT_ID": "a", "AZURE_TENANT_ID": "b", "AZURE_FEDERATED_TOKEN_FILE": "/no_word"},
            "AZURE_FEDERATED_TOKEN_FILE names cannot be read",
        ),
    ],
    ids=["nobody", "key", "signature", "emulator", "federated"],
)
def test_a_setting_of_azure_that_is_wrong_is_told(environ: dict[str, str], said: str) -> None:
    name = {"AZURE_STORAGE_ACCOUNT_NAME": "account"} if environ else {}
    told = closed("az://container/key", {**name, **environ})
    assert said in told and "no_word" not in told


@pytest.mark.parametrize("host", ["store.example.com", "127.0.0.1.example.com"])
def test_an_emulator_elsewhere_must_be_encrypted(host: str) -> None:
    environ = {"AZURE_STORAGE_USE_EMULATOR": "true", "AZURITE_BLOB_STORAGE_URL": f"http://{host}"}
    with surrounded(environ), pytest.raises(UsageError, match="AZURITE_BLOB_STORAGE_URL is not encrypted"):
        ObjectCell("az://container/key", environ)


# -- who gives the tokens --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "times"), [(400, 1), (403, 1), (404, 1), (503, 9)], ids=["no", "forbidden", "absent", "down"]
)
def test_a_token_that_is_not_given_is_no_fault_of_the_store(status: int, times: int) -> None:
    """A refusal is told at once; what may pass is waited for."""
    with Server(lambda _: Answer(status, b'{"error": "word"}')).running() as server:
        environ = {
            "AZURE_STORAGE_ACCOUNT_NAME": "account",
            "AZURE_IDENTITY_ENDPOINT": f"{server.url}/metadata/identity/oauth2/token",
        }
        told = closed("az://container/key", environ)
        assert len(server.asked) == times
    assert f"there are no credentials, or they cannot be had ({status} " in told
    assert "check AZURE_STORAGE_ACCOUNT_NAME" in told and "word" not in told


def test_who_gives_no_token_for_want_of_an_answer_is_told_with_what_to_check() -> None:
    environ = {"AZURE_STORAGE_ACCOUNT_NAME": "account", "AZURE_IDENTITY_ENDPOINT": "http://127.0.0.1:1/token"}
    with (
        surrounded(environ),
        pytest.raises(Trouble, match=r"no credentials.*check AZURE_STORAGE_ACCOUNT_NAME"),
    ):
        read(ObjectCell("az://container/key", environ), no_pause)
