"""What opens an object store, and what is said when it stays closed.

Credentials come from the environment, under the names that each provider's own tools use; none is an
argument and none is ever printed, which is why an error of a store is told by its status and code alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from lbstack.errors import AuthError, UsageError
from lbstack.values import Secret

SECRET_NAMES = re.compile(r"(AWS|AZURE|GOOGLE)_.*(SECRET|TOKEN|KEY|PASSWORD|SAS)")
NOT_SECRET = re.compile(r".*(_FILE|_KEY_ID|_ENDPOINT|_URI|_URL|_ID)$")
GOOGLE_FILE = "GOOGLE_APPLICATION_CREDENTIALS"
GOOGLE_SELF = (
    "GOOGLE_SERVICE_ACCOUNT",
    "GOOGLE_SERVICE_ACCOUNT_PATH",
    "GOOGLE_SERVICE_ACCOUNT_KEY",
    "SERVICE_ACCOUNT",
    "GOOGLE_BEARER_TOKEN",
    "GOOGLE_SKIP_SIGNATURE",
)
"""Variables that say who comes, whatever lies in that file."""
IDENTITY = "external_account"
GOOGLE_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
REASONS = {
    r"Account must be specified|MissingAccount": "AZURE_STORAGE_ACCOUNT_NAME is not set",
    r"Invalid Access Key": "AZURE_STORAGE_ACCOUNT_KEY is no key of a storage account",
    r"SAS query pair": "AZURE_STORAGE_SAS_TOKEN is no shared access signature",
    r"federated token file": "the file that AZURE_FEDERATED_TOKEN_FILE names cannot be read",
    r"Unable to open service account": "the file with the credentials cannot be read",
    r"Unable to decode service account": "what should be credentials of Google's is none",
    r"pem file|RSA key": "the private key of the service account cannot be read",
    r"as boolean": "a variable that must be true or false is neither",
    r"BadScheme": "its endpoint is not encrypted",
    r"(?i)credential|authorize|token": "there are no credentials, or they cannot be had",
}
KEYS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or a role of the machine",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, GOOGLE_BEARER_TOKEN, or a service account of the machine",
    "az": "AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY, AZURE_STORAGE_SAS_TOKEN,"
    " AZURE_USE_AZURE_CLI=true or AZURE_CLIENT_ID, or an identity of the machine",
}


def know_secrets(environ: Mapping[str, str]) -> None:
    """From now on no message shows what opens a store, nor the part of it that does."""
    for name, value in environ.items():
        if value and SECRET_NAMES.match(name) and not NOT_SECRET.match(name):
            for secret in (value, *_inside(value)):
                Secret(secret)


def _inside(value: str) -> list[str]:
    """The signature in a shared access signature; the private key in the file of a service account."""
    if not value.lstrip().startswith("{"):
        return parse_qs(value.removeprefix("?")).get("sig", [])
    try:
        key = json.loads(value).get("private_key")
    except ValueError:
        return []
    return [key] if isinstance(key, str) else []


def provider(scheme: str, environ: Mapping[str, str]) -> Any:
    """Who is asked for credentials in place of the library of the stores, which does not read all that there
    are; None where it does."""
    if scheme == "s3" and environ.get("AWS_PROFILE") and not environ.get("AWS_ACCESS_KEY_ID"):
        return _profile()
    if scheme == "gs" and not any(environ.get(name) for name in GOOGLE_SELF):
        return _google(environ)
    return None


def _profile() -> Any:
    """Profiles and single sign-on are read by Amazon's own library."""
    try:
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        raise UsageError(
            "AWS_PROFILE is set, and reading profiles needs boto3", "pip install boto3"
        ) from None
    return Boto3CredentialProvider()


def _google(environ: Mapping[str, str]) -> Any:
    """The identity that a CI service lends a job is read by Google's own library."""
    try:
        told = json.loads(Path(environ.get(GOOGLE_FILE, "")).read_bytes())
        source = told["credential_source"] if told["type"] == IDENTITY else None
    except (OSError, ValueError, LookupError, TypeError):
        return None  # the library of the stores says what is wrong with it
    if source is None:
        return None
    try:
        from google.auth import aws, identity_pool
        from obstore.auth.google import GoogleCredentialProvider
    except ImportError:
        raise UsageError(
            f"{GOOGLE_FILE} names the identity of a job, and reading it needs google-auth",
            "pip install google-auth requests",
        ) from None
    sort: Any = aws if "environment_id" in source else identity_pool
    try:
        return GoogleCredentialProvider(sort.Credentials.from_info(told, scopes=[GOOGLE_SCOPE]))
    except Exception:  # whatever a file holds
        raise AuthError(
            f"the identity that {GOOGLE_FILE} names is damaged", "let the CI service write it again"
        ) from None


def code_of(error: Exception) -> str:
    """The store's own word for what is wrong, if it said one."""
    found = re.search(r"<Code>(\w+)</Code>", str(error))
    return found[1] if found else ""


def told(error: Exception) -> str:
    """What of an error of the store may be shown. Its text holds whole requests, with whatever signs them."""
    text = str(error)
    status = re.search(r"status code: (\d{3}[A-Za-z -]*)", text)
    if wants_token(error):
        return "there are no credentials, or they cannot be had" + (
            f" ({status[1].strip()})" if status else ""
        )
    if status or code_of(error):
        return ", ".join(word for word in (status[1].strip() if status else "", code_of(error)) if word)
    return next((why for sign, why in REASONS.items() if re.search(sign, text)), "the store does not answer")


def wants_token(error: Exception) -> bool:
    """Whether it was not the store that failed, but who gives the tokens that open it."""
    return "Error performing token request" in str(error)


def refused_token(error: Exception) -> bool:
    """Whether none will be given, however often it is asked for."""
    return wants_token(error) and re.search(r"status code: 40[0134]\b", str(error)) is not None


def check_keys(scheme: str) -> str:
    return f"check {KEYS[scheme]}"
