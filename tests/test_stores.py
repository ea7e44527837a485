"""The contract of object stores, in memory; integration/test_buckets.py runs it with servers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from botocore.stub import Stubber
from obstore.exceptions import GenericError
from obstore.store import MemoryStore

from mkindex import cli
from mkindex.errors import ConfigError
from mkindex.hosts.buckets import BucketAddress, is_bucket, parse_bucket
from mkindex.stores.objects import ChangedObject, End, MissingObject, Original, StoreError
from mkindex.stores.obstore_objects import ObstoreObjects
from mkindex.stores.open import open_bucket
from mkindex.stores.reasons import describe
from mkindex.stores.s3 import S3Session
from support.fake_store import FakeStore
from support.google_server import run_google
from support.store_contract import CONTRACT, CONTRACT_OF_CONDITIONS, HEADERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mkindex.stores.objects import ObjectStore


def fake() -> ObjectStore:
    return FakeStore()


def memory() -> ObjectStore:
    return ObstoreObjects(MemoryStore(), BucketAddress("s3", "a-bucket", "some where/+1/"), None)


@pytest.mark.parametrize("make", [fake, memory])
@pytest.mark.parametrize("rule", CONTRACT)
def test_stores_keep_the_contract(make: Callable[[], ObjectStore], rule: Callable[[ObjectStore], None]) -> None:
    rule(make())


def test_only_uploads_to_which_nothing_is_sent_any_more_are_aborted() -> None:
    session = S3Session({"access_key_id": "nobody", "secret_access_key": "nothing"}, timeout=1.0)
    store = session.open(BucketAddress("s3", "here", "whl/"), {}, {})
    now = datetime.now(UTC)
    ages = {"begun just now": (1, ()), "dead": (7200, (7000, 3601)), "alive": (7200, (7000, 60)), "empty": (7200, ())}
    stub = Stubber(session.client)
    uploads = [
        {"Key": f"whl/files/{name}", "UploadId": name, "Initiated": now - timedelta(seconds=begun)}
        for name, (begun, _) in ages.items()
    ]
    stub.add_response("list_multipart_uploads", {"Uploads": uploads}, {"Bucket": "here", "Prefix": "whl/files/"})
    for name in "dead", "alive", "empty":
        upload = {"Bucket": "here", "Key": f"whl/files/{name}", "UploadId": name}
        parts = [{"PartNumber": 1, "LastModified": now - timedelta(seconds=age)} for age in ages[name][1]]
        stub.add_response("list_parts", {"Parts": parts}, upload)
        if name != "alive":
            stub.add_response("abort_multipart_upload", {}, upload)
    with stub:
        store.abort_uploads("files/", silent_for=3600.0)
        stub.assert_no_pending_responses()


@pytest.mark.parametrize("code", ["PreconditionFailed", "NoSuchKey"])
def test_s3_copies_an_object_only_as_it_was_examined(code: str) -> None:
    session = S3Session({"access_key_id": "nobody", "secret_access_key": "nothing"}, timeout=1.0)
    here, there = (session.open(BucketAddress("s3", name, "whl/"), {}, {}) for name in ("here", "there"))
    expected = {
        "Bucket": "here",
        "Key": "whl/files/copy",
        "CopySource": {"Bucket": "there", "Key": "whl/demo"},
        "CopySourceIfMatch": '"an etag"',
        "MetadataDirective": "REPLACE",
        "ContentType": HEADERS.content_type,
        "CacheControl": HEADERS.cache_control,
        "Metadata": {"sha256": "0" * 64},
    }
    stub = Stubber(session.client)
    stub.add_client_error("copy_object", code, expected_params=expected)
    with stub, pytest.raises(StoreError) as failed:
        here.copy("files/copy", Original(there, "demo", 3, '"an etag"', "0" * 64), HEADERS)
    assert type(failed.value) is {"PreconditionFailed": ChangedObject, "NoSuchKey": MissingObject}[code]


@pytest.mark.parametrize("rule", CONTRACT_OF_CONDITIONS)
def test_google_is_asked_for_conditions_on_generations(rule: Callable[[ObjectStore], None]) -> None:
    with run_google() as bucket:
        rule(ObstoreObjects(bucket, parse_bucket("gs://a-bucket/python"), None))


@pytest.mark.parametrize(
    ("location", "address"),
    {
        "s3://a-bucket": ("s3", "a-bucket", ""),
        "S3://a-bucket/": ("s3", "a-bucket", ""),
        "gs://a-bucket/some where/+1//": ("gs", "a-bucket", "some where/+1/"),
        "az://$web/python": ("az", "$web", "python/"),
    }.items(),
)
def test_addresses_of_buckets_have_a_bucket_and_a_prefix(location: str, address: tuple[str, str, str]) -> None:
    assert is_bucket(location)
    assert parse_bucket(location) == address
    assert parse_bucket(str(parse_bucket(location))) == address


@pytest.mark.parametrize("location", ["s3:bucket", "s3:/bucket", "./s3://bucket", "https://bucket", "bucket", ""])
def test_other_locations_are_no_buckets(location: str) -> None:
    assert not is_bucket(location)


@pytest.mark.parametrize(
    ("location", "reason"),
    {
        "s3://": "names no bucket. Give s3://BUCKET/PREFIX",
        "gs:///python": "names no bucket. Give gs://BUCKET/PREFIX",
        "s3://user@bucket/x": "names no bucket. Give s3://BUCKET/PREFIX",
        "s3://a-bucket/a//b": "has a prefix with an empty part, . or .. in it",
        "s3://a-bucket/../b": "has a prefix with an empty part, . or .. in it",
        "s3://a-bucket/x?y": "has a prefix with characters that addresses of files cannot contain",
        "s3://a-bucket/x\ny": "has a prefix with characters that addresses of files cannot contain",
    }.items(),
)
def test_wrong_addresses_of_buckets_are_refused(location: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r"^(names|has) ") as error:
        parse_bucket(location)
    assert str(error.value) == reason


@pytest.mark.parametrize(
    ("options", "message"),
    {
        ("nonsense=1", "skip_signature=true"): "Configuration key: 'nonsense' is not valid for store 'S3'.",
        ("region=eu west",): "'eu west' is not a region. Set AWS_REGION, or --store-option region=…",
        ("profile=nobody-has-this",): "The config profile (nobody-has-this) could not be found",
        (): "no credentials found. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; to read a public "
        "bucket: --store-option skip_signature=true",
    }.items(),
)
def test_a_store_that_cannot_be_opened_is_a_usage_error(
    options: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(ConfigError) as error:
        open_bucket("s3://a-bucket/python", options, timeout=1.0)
    assert str(error.value) == f"s3://a-bucket/python: {message}"


@pytest.mark.parametrize(
    ("options", "url"),
    {
        (): "https://a-bucket.s3.us-east-1.amazonaws.com/a%20b/",
        ("region=eu-central-1",): "https://a-bucket.s3.eu-central-1.amazonaws.com/a%20b/",
        ("endpoint=http://127.0.0.1:9/",): "http://127.0.0.1:9/a-bucket/a%20b/",
    }.items(),
)
def test_a_store_knows_the_address_that_readers_use(
    options: tuple[str, ...], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    given = (*options, "access_key_id=a", "secret_access_key=b")
    assert open_bucket("s3://a-bucket/a b", given, timeout=1.0).url == url


@pytest.mark.parametrize("command", ["check", "client"])
def test_what_reads_an_index_like_clients_names_the_address_of_a_bucket(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    advice = "s3://my-index/python is a bucket, which clients read by https. Give the address of its index there"
    assert cli.run([command, "s3://my-index/python"]) == 3
    address = "https://my-index.s3.eu-central-1.amazonaws.com/python/simple/"
    assert capsys.readouterr().err == f"error {advice}, such as {address}\n"
    monkeypatch.setitem(__import__("sys").modules, "obstore", None)
    assert cli.run([command, "s3://my-index/python"]) == 3
    assert capsys.readouterr().err == f'error {advice}. A build prints it after "Check it:"\n'


@pytest.mark.parametrize(
    "endpoint",
    ["abc.r2.example.com", "localhost:5555", "https://", "https:///x", "https://a b", "ftp://a", "https://a:99999"],
)
@pytest.mark.parametrize("location", ["s3://a-bucket/python", "az://a-bucket/python"])
def test_an_endpoint_without_scheme_and_host_is_refused(
    location: str, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = {"s3": "AWS_ENDPOINT_URL", "az": "AZURE_STORAGE_ENDPOINT"}[location[:2]]
    for name, options in (("--store-option endpoint", [f"endpoint={endpoint}"]), (variable, [])):
        monkeypatch.setenv(variable, endpoint)
        with pytest.raises(ConfigError) as error:
            open_bucket(location, options, timeout=1.0)
        assert str(error.value) == (
            f"{location}: the endpoint must begin with https:// and a host, but {name} is {endpoint!r}. Give it as "
            "https://HOST, or as http://HOST:PORT for a server without TLS"
        )


@pytest.mark.parametrize("endpoint", ["http://minio_1:9000", "https://[::1]:443/", "https://a.example.com/b/c"])
def test_an_endpoint_may_have_a_port_and_a_path(endpoint: str) -> None:
    options = (f"endpoint={endpoint}", "access_key_id=a", "secret_access_key=b")
    assert open_bucket("s3://a-bucket", options, timeout=1.0).url == f"{endpoint.rstrip('/')}/a-bucket/"


@pytest.mark.parametrize(
    ("location", "variable"),
    [
        ("s3://a-bucket", "AWS_ACCESS_KEY_ID"),
        ("s3://a-bucket", "AWS_SESSION_TOKEN"),
        ("s3://a-bucket", "AWS_REGION"),
        ("az://a-bucket", "AZURE_STORAGE_ACCOUNT_NAME"),
        ("az://a-bucket", "AZURE_STORAGE_ACCOUNT_KEY"),
    ],
)
def test_a_setting_that_ends_with_white_space_is_refused_by_its_name(
    location: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "has white space at its start or end. Set it again without it"
    with pytest.raises(ConfigError) as of_option:
        open_bucket(location, [f"{variable.lower()}=YWJj\n"], timeout=1.0)
    monkeypatch.setenv(variable, "YWJj\n")
    with pytest.raises(ConfigError) as of_variable:
        open_bucket(location, (), timeout=1.0)
    assert [str(of_option.value), str(of_variable.value)] == [
        f"{location}: --store-option {variable.lower()} {text}",
        f"{location}: {variable} {text}",
    ]


@pytest.mark.parametrize("location", ["s3://a-bucket/python", "az://a-bucket/python"])
@pytest.mark.parametrize(
    ("endpoint", "reason"),
    {
        "https://user:SECRET@store.example": "has a user name, a query or a fragment, which pages would publish",
        "https://store.example/?sv=1&sig=SECRET": "has a user name, a query or a fragment, which pages would publish",
        "https://store.example/#SECRET": "has a user name, a query or a fragment, which pages would publish",
        "https://[SECRET": "is no address",
    }.items(),
)
@pytest.mark.parametrize("is_option", [True, False])
def test_an_endpoint_has_no_secrets_that_pages_would_publish(
    location: str, endpoint: str, reason: str, is_option: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("access_key_id=a", "secret_access_key=b") if location[0] == "s" else ("account_name=a",)
    if is_option:
        options = (*options, f"endpoint={endpoint}")
    else:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3" if location[0] == "s" else "AZURE_STORAGE_ENDPOINT", endpoint)
    with pytest.raises(ConfigError, match=rf"^{location}: the endpoint {reason}\. Give ") as error:
        open_bucket(location, options, timeout=1.0)
    assert "SECRET" not in str(error.value)


def test_without_the_libraries_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "obstore", None)
    assert cli.run([str(tmp_path), "s3://a-bucket"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error s3://a-bucket is a bucket, which requires more packages: install mkindex with its extra `store`"
    )


@pytest.mark.parametrize("code", ["NoSuchBucket", "ContainerNotFound"])
def test_a_missing_bucket_is_no_missing_object(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise FileNotFoundError(f"Object at location x not found: … 404 Not Found: <Error><Code>{code}</Code></Error>")

    for name in "get", "put":
        monkeypatch.setattr(f"obstore.{name}", fail)
    store = memory()
    requests: list[Callable[[], object]] = [
        lambda: store.get("x", most=1),
        lambda: store.put("x", b"", HEADERS),
        lambda: store.upload("x", iter([b""]), HEADERS, size=0, sha256=""),
        lambda: store.read_end("x", 1),
    ]
    for request in requests:
        with pytest.raises(StoreError, match=r"^the (bucket|container) does not exist: create it first$"):
            request()


@pytest.mark.parametrize(
    "text",
    ["… status code: 416 Range Not Satisfiable: <Error><Code>InvalidRange</Code>", "Received non-partial response"],
)
def test_an_empty_object_has_an_end_also_where_no_range_of_it_can_be_requested(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise GenericError(f"Generic S3 error: {text}")

    store = memory()
    store.put("empty", b"", HEADERS)
    store.put("other", b"x", HEADERS)
    monkeypatch.setattr("obstore.get", fail)
    assert store.read_end("empty", 1) == End(b"", "")
    with pytest.raises(StoreError):
        store.read_end("other", 1)


DENIED = "Check the credentials and what they permit"


@pytest.mark.parametrize(
    ("text", "reason"),
    {
        "Object at location x not found: … Server returned non-2xx status code: 404 Not Found: <?xml …?>\n<Error>"
        "<Code>NoSuchBucket</Code>": "the bucket does not exist: create it first",
        "An error occurred (AccessDenied) when calling the PutObject operation: no": f"access denied. {DENIED}",
        "Generic S3 error: … status code: 403 Forbidden: <Error><Code>Odd</Code>": f"access denied (403 Odd). {DENIED}",
        "Generic S3 error: … status code: 500 Internal: <Error><Code>InternalError</Code>": "the store answered 500 "
        "InternalError",
        "Generic S3 error: Error performing GET http://x/ in 1s, after 1 retries - HTTP error: error sending request"
        "\n\nDebug source": "the store does not answer (error sending request). Check the endpoint and the network",
        "something\x1b else": "something\\x1b else",
    }.items(),
)
def test_the_long_texts_of_libraries_become_a_sentence(text: str, reason: str) -> None:
    assert describe(text) == reason
