"""Buckets and objects: what S3 keeps, and what it accepts as a name.

Sources: S3 user guide, "General purpose bucket naming rules", "Creating object key names"; S3 API reference, the pages
of the operations and "Error responses".
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from lablib.aws.arn import partition_of
from lablib.aws.service import Principal, ServiceError

if TYPE_CHECKING:
    from lablib.aws.access.decide import Policy
    from lablib.services.s3 import S3
    from lablib.services.s3.multipart import Upload
    from lablib.services.s3.notifications import Rule

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]")
_ADDRESS = re.compile(r"(?:[0-9]+\.){3}[0-9]+")
_RESERVED_STARTS = ("xn--", "sthree-")
_RESERVED_ENDS = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
LONGEST_KEY = 1024
LONGEST_METADATA = 2048


def invalid(message: str, name: str = "", value: str = "") -> ServiceError:
    """S3's answer to an argument that it does not accept; its error names the argument and its value, where it does."""
    about = {"ArgumentName": name, "ArgumentValue": value}
    return ServiceError("InvalidArgument", message, details={key: text for key, text in about.items() if text})


def bucket_error(shape: str, message: str, bucket: str, status: int) -> ServiceError:
    """An error about a bucket, which it names."""
    return ServiceError(shape, message, status=status, details={"BucketName": bucket})


def no_such_bucket(name: str) -> ServiceError:
    return bucket_error("NoSuchBucket", "The specified bucket does not exist", name, 404)


def no_such_key(key: str) -> ServiceError:
    return ServiceError("NoSuchKey", "The specified key does not exist.", status=404, details={"Key": key})


def check_bucket_name(name: str) -> None:
    """Raises InvalidBucketName. `amzn-s3-demo-` is AWS's own too, but its guides use it, so it passes here."""
    fine = _NAME.fullmatch(name) and not _ADDRESS.fullmatch(name)
    reserved = name.startswith(_RESERVED_STARTS) or name.endswith(_RESERVED_ENDS)
    if not fine or reserved:
        raise bucket_error("InvalidBucketName", "The specified bucket is not valid.", name, 400)


def check_key(key: str) -> None:
    """Raises KeyTooLongError."""
    size = len(key.encode(errors="replace"))
    if size > LONGEST_KEY:
        details = {"MaxSizeAllowed": str(LONGEST_KEY), "Size": str(size)}
        raise ServiceError("KeyTooLongError", "Your key is too long", details=details)


def check_metadata(metadata: dict[str, str]) -> None:
    """Raises MetadataTooLarge."""
    size = sum(len(name.encode()) + len(value.encode()) for name, value in metadata.items())
    if size > LONGEST_METADATA:
        text = "Your metadata headers exceed the maximum allowed metadata size"
        details = {"MaxSizeAllowed": str(LONGEST_METADATA), "Size": str(size)}
        raise ServiceError("MetadataTooLarge", text, details=details)


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as it is stored: it never changes, it is replaced. `written` in seconds since the run began."""

    key: str
    body: bytes
    written: float
    content_type: str = "binary/octet-stream"
    metadata: dict[str, str] = field(default_factory=dict)
    etag: str = ""

    def __post_init__(self) -> None:
        if self.etag:  # of an upload in parts
            return
        object.__setattr__(self, "etag", hashlib.md5(self.body, usedforsecurity=False).hexdigest())


def malformed() -> ServiceError:
    """MalformedXML: what S3 says to a list that is empty or too long."""
    text = "The XML you provided was not well-formed or did not validate against our published schema"
    return ServiceError("MalformedXML", text)


@dataclass(eq=False)
class Bucket:
    """A bucket. `rules` say which events go where; `location` is the location constraint that it was created with."""

    name: str
    account: str
    region: str
    location: str | None
    created: float
    policy: Policy | None = None
    policy_text: str = ""
    rules: tuple[Rule, ...] = ()
    events: int = 0
    _objects: dict[str, Stored] = field(default_factory=dict)
    _keys: list[bytes] = field(default_factory=list)  # in the order of S3's lists: that of UTF-8

    @property
    def arn(self) -> str:
        """Its ARN; a bucket's has neither region nor account."""
        return f"arn:{partition_of(self.region)}:s3:::{self.name}"

    @cached_property
    def principal(self) -> Principal:
        """S3 when it sends this bucket's events."""
        context = {"aws:SourceArn": self.arn, "aws:SourceAccount": self.account}
        return Principal(self.account, service="s3.amazonaws.com", context=context)

    @property
    def empty(self) -> bool:
        """Has it no objects?"""
        return not self._objects

    def find(self, key: str) -> Stored | None:
        """The object with that key."""
        return self._objects.get(key)

    def get(self, key: str) -> Stored:
        """The object with that key. Raises NoSuchKey."""
        if key not in self._objects:
            raise no_such_key(key)
        return self._objects[key]

    def put(self, stored: Stored) -> None:
        """Store an object in the place of one with the same key."""
        if stored.key not in self._objects:
            raw = _raw(stored.key)
            self._keys.insert(bisect_left(self._keys, raw), raw)
        self._objects[stored.key] = stored

    def remove(self, key: str) -> bool:
        """Delete an object. False: there was none."""
        if self._objects.pop(key, None) is None:
            return False
        del self._keys[bisect_left(self._keys, _raw(key))]
        return True

    def after(self, key: str) -> Iterator[Stored]:
        """The objects whose key comes after `key`, in order."""
        for raw in self._keys[bisect_right(self._keys, _raw(key)) :] if key else self._keys:
            yield self._objects[raw.decode(errors="surrogatepass")]


def _raw(key: str) -> bytes:
    return key.encode(errors="surrogatepass")


@dataclass(eq=False, slots=True)
class Registry:
    """All buckets of a cloud, whatever their account and region: names are global."""

    buckets: dict[str, Bucket] = field(default_factory=dict)
    services: list[S3] = field(default_factory=list)
    uploads: dict[str, Upload] = field(default_factory=dict)

    def guard(self) -> None:
        """From now on a bucket has a policy: all services of S3 ask for access."""
        for service in self.services:
            service.has_policies = True
