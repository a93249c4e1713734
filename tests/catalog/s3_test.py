"""The catalogue's S3 through boto3: buckets, objects, credentials, and a bucket of a test's own.

The address and the keys come from the variables that every AWS library reads.
"""

from __future__ import annotations

import io
import os
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from realservices.control.client import BlockingServiceControl
from tests.catalog.command_lines import command_lines

# More than one part, which boto3 then uploads concurrently.
_LARGE_BYTES = 9 * 1024 * 1024


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """A client, configured by the environment only; presigned URLs need the signature that rclone knows."""
    made = boto3.client("s3", config=Config(signature_version="s3v4"))
    yield made
    made.close()


@pytest.fixture
def bucket(client: Any) -> str:
    """A bucket that no other test has: the isolation that docs/catalog.md recommends."""
    name = f"test-{uuid.uuid4().hex}"
    client.create_bucket(Bucket=name)
    return name


def keys(client: Any, bucket: str, prefix: str = "") -> list[str]:
    return [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])]


def error_code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_object_is_stored_listed_and_deleted(client: Any, bucket: str) -> None:
    client.put_object(Bucket=bucket, Key="a/1.txt", Body=b"one", ContentType="text/plain")
    client.put_object(Bucket=bucket, Key="b/2.txt", Body=b"two")
    found = client.get_object(Bucket=bucket, Key="a/1.txt")
    assert (found["Body"].read(), found["ContentType"]) == (b"one", "text/plain")
    assert keys(client, bucket) == ["a/1.txt", "b/2.txt"]
    assert keys(client, bucket, "a/") == ["a/1.txt"]
    client.delete_object(Bucket=bucket, Key="a/1.txt")
    assert keys(client, bucket) == ["b/2.txt"]
    with pytest.raises(ClientError) as raised:
        client.get_object(Bucket=bucket, Key="a/1.txt")
    assert error_code(raised) == "NoSuchKey"


def test_large_object_is_uploaded_in_parts(client: Any, bucket: str) -> None:
    content = os.urandom(_LARGE_BYTES)
    client.upload_fileobj(io.BytesIO(content), bucket, "large")
    target = io.BytesIO()
    client.download_fileobj(bucket, "large", target)
    assert target.getvalue() == content


def test_presigned_url_needs_no_credentials(client: Any, bucket: str) -> None:
    client.put_object(Bucket=bucket, Key="shared", Body=b"for all")
    url = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "shared"})
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.read() == b"for all"


def test_bucket_that_the_service_names_is_there_from_the_start(client: Any) -> None:
    assert "uploads" in [entry["Name"] for entry in client.list_buckets()["Buckets"]]
    assert keys(client, "uploads") == []


def test_bucket_is_deleted_once_it_is_empty(client: Any, bucket: str) -> None:
    client.put_object(Bucket=bucket, Key="last", Body=b"")
    with pytest.raises(ClientError) as raised:
        client.delete_bucket(Bucket=bucket)
    assert error_code(raised) == "BucketNotEmpty"
    client.delete_object(Bucket=bucket, Key="last")
    client.delete_bucket(Bucket=bucket)
    assert bucket not in [entry["Name"] for entry in client.list_buckets()["Buckets"]]


@pytest.mark.parametrize("content", [b"first", b"second"])
def test_a_bucket_is_the_tests_own(client: Any, bucket: str, content: bytes) -> None:
    """Both cases do the same on one server: each would find the other's object but for its own bucket."""
    assert keys(client, bucket) == []
    client.put_object(Bucket=bucket, Key=content.decode(), Body=content)
    assert keys(client, bucket) == [content.decode()]


def test_objects_outlive_a_restart_of_the_server(
    client: Any, bucket: str, service_control_sync: BlockingServiceControl
) -> None:
    client.put_object(Bucket=bucket, Key="kept", Body=b"kept")
    service_control_sync.stop("objects")
    service_control_sync.start("objects")
    assert client.get_object(Bucket=bucket, Key="kept")["Body"].read() == b"kept"


def test_server_refuses_whoever_has_not_its_key() -> None:
    stranger = boto3.client("s3", aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"], aws_secret_access_key="wrong")
    with pytest.raises(ClientError) as raised:
        stranger.list_buckets()
    stranger.close()
    assert error_code(raised) == "SignatureDoesNotMatch"


def test_secret_key_is_in_no_command_line() -> None:
    secret = os.environ["AWS_SECRET_ACCESS_KEY"]
    assert len(secret) >= 24
    assert not [line for line in command_lines("rclone") if secret in line]
