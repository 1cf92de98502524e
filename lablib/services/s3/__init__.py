"""Amazon S3, as far as events need it: buckets, objects, event notifications, bucket policies.

An operation is a method; what it checks, which error it raises, and its answer follow the S3 API reference
(2006-03-01). Reads are consistent. Names are global: the buckets of all accounts and regions lie in one registry, and a
client of any region reaches them. Not simulated: versions, access control lists, storage classes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from lablib.aws.access.decide import AccessRequest, MalformedPolicy, Policy, administrator, decide
from lablib.aws.access.identities import UnknownPrincipal, bound
from lablib.aws.arn import Arn, partition_of
from lablib.aws.body import Body
from lablib.aws.lists import read_token, write_token
from lablib.aws.service import NotSimulated, Request, ServiceError, Target, World, named, pascal
from lablib.kernel import Trace
from lablib.services.s3.bill import bill
from lablib.services.s3.events import EVENTS
from lablib.services.s3.lists import Page, page_of
from lablib.services.s3.multipart import Uploads
from lablib.services.s3.notifications import Deliveries, Document, Event, read_rules, show_rules
from lablib.services.s3.quotas import QUOTAS
from lablib.services.s3.store import (
    Bucket,
    Registry,
    Stored,
    bucket_error,
    check_bucket_name,
    check_key,
    check_metadata,
    invalid,
    malformed,
    no_such_bucket,
    no_such_key,
)

_RANGE = re.compile(r"bytes=(?=[0-9]|-[0-9])([0-9]{0,18})-([0-9]{0,18})")
_HOME = "us-east-1"  # the region without a location constraint
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
_ACTIONS = {  # operations whose right has another name (Service authorization reference, Amazon S3)
    "HeadObject": "GetObject",
    "CopyObject": "PutObject",
    **dict.fromkeys(("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"), "PutObject"),
    "ListParts": "ListMultipartUploadParts",
    "DeleteObjects": "DeleteObject",
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListBuckets": "ListAllMyBuckets",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
}


# CreateBucket with a name that is taken fails with that error, not with one of access.
_NAME_IS_TAKEN = Policy.parse(
    {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}}
)


class S3(Uploads):
    """Amazon S3, at the endpoint of one region."""

    name = "s3"
    throttle, access_denied = ("SlowDown", "Please reduce your request rate."), ("AccessDenied", 403)
    batches, events, quotas = frozenset(("DeleteObjects",)), EVENTS, QUOTAS
    # Objects are encrypted since 5 January 2023 (user guide, "Default encryption"). boto3 says None for no location.
    asked_anyway = {"ServerSideEncryption": "AES256", "StorageClass": "STANDARD"}
    said_anyway = {"LocationConstraint": None, "ServerSideEncryption": "AES256"}
    quirks = {
        "copy sources are documents": (),
        "transfers without threads": ("copy", "download_file", "download_fileobj", "upload_file", "upload_fileobj"),
    }

    @classmethod
    def bill(
        cls, trace: Trace, rows: Mapping[str, list[int]], quotas: Mapping[str, Any], until: float
    ) -> dict[str, float]:
        return bill(map(pascal, cls.coverage()), trace, rows, quotas, until)

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._registry: Registry = world.shared.setdefault("s3", Registry())
        self._registry.services.append(self)
        self.has_policies = any(bucket.policy for bucket in self._registry.buckets.values())
        self._deliveries = Deliveries(world)

    def target(self, operation: str, params: Document) -> Target:
        """The right to a batch of deletes is checked once, for the common prefix of the keys."""
        name = str(params.get("bucket", ""))
        bucket = self._registry.buckets.get(name)
        arn, context = f"arn:{partition_of(self.world.region)}:s3:::{name}" if name else "*", {}
        if "key" in params:
            arn += f"/{params['key']}"
        elif operation == "DeleteObjects":
            keys = [item["Key"] for item in params.get("delete", {}).get("Objects", ())]
            common = os.path.commonprefix(keys)  # noqa: RUF071  of characters: a key is no path
            arn += f"/{common}{'*' if len(keys) > 1 else ''}"
        elif operation.startswith("ListObjects"):
            context["s3:prefix"] = params.get("prefix", "")
        policy = bucket.policy if bucket else None
        if operation == "CreateBucket":
            policy = _NAME_IS_TAKEN if bucket else None
        owner, actions = bucket.account if bucket else self.world.account, (f"s3:{_ACTIONS.get(operation, operation)}",)
        return Target(name, owner, actions, arn, policy, context=context)

    def parameters_about(self, arn: Arn) -> Document:
        """The bucket of an object, or the bucket."""
        return {"bucket": arn.resource.split("/")[0]}

    def bucket(self, name: str) -> Bucket:
        """The bucket itself, to look into. Raises KeyError when there is none."""
        return named("bucket", name, self._registry.buckets)

    def _bucket(self, name: str) -> Bucket:
        found = self._registry.buckets.get(name)
        if found is None:
            check_bucket_name(name)
            raise no_such_bucket(name)
        if found.account != self.world.account:  # the gateway has checked nothing on its behalf
            raise ServiceError("AccessDenied", "Access Denied", status=403)
        return found

    # ---- buckets -----------------------------------------------------------------------------------------------------

    def create_bucket(
        self, request: Request, *, bucket: str, create_bucket_configuration: Document | None = None
    ) -> Document:
        check_bucket_name(bucket)
        location = (create_bucket_configuration or {}).get("LocationConstraint")
        region = self._location(location)
        existing = self._registry.buckets.get(bucket)
        if existing:
            caller = request.principal.account if request.principal else self.world.account
            self._check_may_exist(existing, region, caller)
        else:
            own = [b for b in self._registry.buckets.values() if b.account == self.world.account]
            if len(own) >= self.world.quotas["s3.buckets"]:
                text = "You have attempted to create more buckets than allowed"
                raise ServiceError("TooManyBuckets", text)
            self._registry.buckets[bucket] = Bucket(bucket, self.world.account, region, location, self.now)
            self.world.trace.add("BucketCreated", bucket, "", request.caller, request.row)
        return {"Location": f"/{bucket}" if region == _HOME else f"http://{bucket}.s3.amazonaws.com/"}

    def _location(self, constraint: str | None) -> str:
        """The region of a new bucket. Only the endpoint of us-east-1 creates buckets elsewhere (CreateBucket)."""
        here = self.world.region
        asked = "eu-west-1" if constraint == "EU" else constraint or _HOME
        if here not in (_HOME, asked):
            which = "unspecified" if constraint is None else constraint
            text = (
                f"The {which} location constraint is incompatible for the region specific endpoint this request was "
                "sent to."
            )
            raise ServiceError("IllegalLocationConstraintException", text)
        if not _REGION.fullmatch(asked) or (constraint == here == _HOME):
            text, details = "The specified location-constraint is not valid", {"LocationConstraint": str(constraint)}
            raise ServiceError("InvalidLocationConstraint", text, details=details)
        return asked

    def _check_may_exist(self, existing: Bucket, region: str, caller: str) -> None:
        """Creating one's own bucket again is an error everywhere but in us-east-1 (CreateBucket)."""
        if existing.account != caller:
            text = (
                "The requested bucket name is not available. The bucket namespace is shared by all users of the "
                "system. Please select a different name and try again."
            )
            raise bucket_error("BucketAlreadyExists", text, existing.name, 409)
        if not existing.region == region == _HOME:
            text = "Your previous request to create the named bucket succeeded and you already own it."
            raise bucket_error("BucketAlreadyOwnedByYou", text, existing.name, 409)

    def delete_bucket(self, request: Request, *, bucket: str) -> Document:
        if not self._bucket(bucket).empty:
            raise bucket_error("BucketNotEmpty", "The bucket you tried to delete is not empty", bucket, 409)
        del self._registry.buckets[bucket]
        self.world.trace.add("BucketDeleted", bucket, "", request.caller, request.row)
        return {}

    def list_buckets(self, request: Request, *, prefix: str = "") -> Document:
        found = [b for b in self._registry.buckets.values() if b.account == self.world.account]
        listed = sorted((b for b in found if b.name.startswith(prefix)), key=lambda b: b.name)
        return {
            "Buckets": [{"Name": b.name, "CreationDate": self.date(b.created)} for b in listed],
            "Owner": {"ID": self.world.account.zfill(64)},
        } | ({"Prefix": prefix} if prefix else {})

    def head_bucket(self, request: Request, *, bucket: str) -> Document:
        if bucket not in self._registry.buckets:
            raise ServiceError("404", "Not Found", status=404)  # a HEAD has no body for a better text
        return {"BucketRegion": self._bucket(bucket).region}

    def get_bucket_location(self, request: Request, *, bucket: str) -> Document:
        return {"LocationConstraint": location} if (location := self._bucket(bucket).location) else {}

    # ---- objects -----------------------------------------------------------------------------------------------------

    def put_object(
        self,
        request: Request,
        *,
        bucket: str,
        key: str,
        body: Any = b"",
        content_type: str = "binary/octet-stream",
        metadata: dict[str, str] | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
        checksum_algorithm: str | None = None,
    ) -> Document:
        """`checksum_algorithm` makes no difference: nothing is damaged on the way here."""
        place = self._bucket(bucket)
        check_key(key)
        check_metadata(metadata or {})
        existing = place.find(key)
        _check_conditions(if_match, if_none_match)
        if if_match is not None and existing is None:
            raise no_such_key(key)
        if (if_none_match and existing) or (if_match is not None and existing and if_match.strip('"') != existing.etag):
            text = "At least one of the pre-conditions you specified did not hold"
            details = {"Condition": "If-None-Match" if if_none_match else "If-Match"}
            raise ServiceError("PreconditionFailed", text, status=412, details=details)
        stored = Stored(key, self._bytes(body), self.now, content_type, dict(metadata or {}))
        self._store(request, place, stored, "ObjectCreated:Put")
        return {"ETag": f'"{stored.etag}"'}

    def _bytes(self, body: Any) -> bytes:
        data = body.read() if hasattr(body, "read") else body
        content = data.encode() if isinstance(data, str) else bytes(data)
        if len(content) > self.world.quotas["s3.put_size"]:
            raise ServiceError("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
        return content

    def _store(self, request: Request, place: Bucket, stored: Stored, event: str) -> None:
        place.put(stored)
        row = self.world.trace.add(
            "ObjectCreated", place.name, stored.key, request.caller, request.row, len(stored.body)
        )
        self._announce(request, place, stored.key, event, row, stored)

    def _announce(
        self, request: Request, place: Bucket, key: str, name: str, row: int, stored: Stored | None = None
    ) -> None:
        place.events += 1
        instant = round((self.world.kernel.epoch + self.now) * 1_000_000)
        sequencer = f"{instant:014X}{place.events % 0x10000:04X}"
        event = Event(name, place, key, row, request.user_id, sequencer, self.now, stored, request.trace_header)
        self._deliveries.announce(event)

    def get_object(
        self, request: Request, *, bucket: str, key: str, range: str = "", if_match: str | None = None
    ) -> Document:
        """`range`: "bytes=0-99", "bytes=100-" or "bytes=-100"."""
        stored = self._bucket(bucket).get(key)
        if if_match is not None and if_match.strip('"') != stored.etag:
            text = "At least one of the pre-conditions you specified did not hold"
            raise ServiceError("PreconditionFailed", text, status=412, details={"Condition": "If-Match"})
        if (parts := _RANGE.fullmatch(range)) is None or (parts[1] and parts[2] and int(parts[1]) > int(parts[2])):
            return {"Body": Body(stored.body), "AcceptRanges": "bytes", **self._head(stored)}
        size = len(stored.body)
        first = int(parts[1]) if parts[1] else max(0, size - int(parts[2] or 0))
        last = min(int(parts[2]), size - 1) if parts[1] and parts[2] else size - 1
        if first >= size:
            details = {"RangeRequested": range, "ActualObjectSize": str(size)}
            raise ServiceError("InvalidRange", "The requested range is not satisfiable", status=416, details=details)
        about = {"ContentLength": last - first + 1, "ContentRange": f"bytes {first}-{last}/{size}"}
        return {"Body": Body(stored.body[first : last + 1]), "AcceptRanges": "bytes", **self._head(stored), **about}

    def head_object(self, request: Request, *, bucket: str, key: str) -> Document:
        stored = self._bucket(bucket).find(key) if bucket in self._registry.buckets else None
        if stored is None:
            raise ServiceError("404", "Not Found", status=404)
        return {"AcceptRanges": "bytes", **self._head(stored)}

    def _head(self, stored: Stored) -> Document:
        return {
            "LastModified": self.date(stored.written),
            "ContentLength": len(stored.body),
            "ETag": f'"{stored.etag}"',
            "ContentType": stored.content_type,
            "Metadata": dict(stored.metadata),
        }

    def delete_object(self, request: Request, *, bucket: str, key: str) -> Document:
        self._remove(request, self._bucket(bucket), key)
        return {}

    def _remove(self, request: Request, place: Bucket, key: str) -> None:
        """Deleting a missing object succeeds, with an event as if it had been there (recorded from AWS in 2025)."""
        row = request.row
        if place.remove(key):
            row = self.world.trace.add("ObjectRemoved", place.name, key, request.caller, row)
        self._announce(request, place, key, "ObjectRemoved:Delete", row)

    def delete_objects(self, request: Request, *, bucket: str, delete: Document) -> Document:
        place, objects = self._bucket(bucket), delete["Objects"]
        if not 1 <= len(objects) <= self.world.quotas["s3.delete_objects"]:
            raise malformed()
        answer: Document = {}
        for item in objects:
            if request.entry_fails():
                failed = {"Key": item["Key"], "Code": "InternalError", "Message": "We encountered an internal error."}
                answer.setdefault("Errors", []).append(failed)
                continue
            self._remove(request, place, item["Key"])
            if not delete.get("Quiet"):
                answer.setdefault("Deleted", []).append({"Key": item["Key"]})
        return answer

    def copy_object(
        self,
        request: Request,
        *,
        bucket: str,
        key: str,
        copy_source: Any,
        metadata: dict[str, str] | None = None,
        metadata_directive: str = "COPY",
        content_type: str | None = None,
    ) -> Document:
        place, (source, source_key) = self._bucket(bucket), _source(copy_source)
        check_key(key)
        original = self._readable(request, source, source_key).get(source_key)
        if metadata_directive == "COPY":
            if (source, source_key) == (bucket, key):
                text = (
                    "This copy request is illegal because it is trying to copy an object to itself without changing "
                    "the object's metadata, storage class, website redirect location or encryption attributes."
                )
                raise ServiceError("InvalidRequest", text)
            metadata, content_type = original.metadata, original.content_type
        check_metadata(metadata or {})
        kind = content_type or "binary/octet-stream"
        stored = Stored(key, original.body, self.now, kind, dict(metadata or {}))
        self._store(request, place, stored, "ObjectCreated:Copy")
        return {"CopyObjectResult": {"ETag": f'"{stored.etag}"', "LastModified": self.date(self.now)}}

    def _readable(self, request: Request, name: str, key: str) -> Bucket:
        """The bucket that is copied from, when the caller may read the object."""
        found = self._registry.buckets.get(name)
        if found is None:
            raise no_such_bucket(name)
        if self.has_policies or request.principal or found.account != self.world.account:
            caller = request.principal or administrator(self.world.account, self.world.region)
            asked = ("s3:GetObject", f"{found.arn}/{key}", caller, found.account, dict(caller.context))
            decision = decide(AccessRequest(*asked, self.world.kernel.epoch + self.now), found.policy)
            if not decision:
                self.world.trace.add("AccessDenied", name, "", request.caller, request.row, decision.explain())
                raise ServiceError("AccessDenied", decision.message(), status=403)
        return found

    def list_objects_v2(
        self,
        request: Request,
        *,
        bucket: str,
        prefix: str = "",
        delimiter: str = "",
        max_keys: int = 1000,
        continuation_token: str | None = None,
        start_after: str = "",
    ) -> Document:
        place, most = self._bucket(bucket), min(max_keys, self.world.quotas["s3.list_page"])
        wrong = invalid("The continuation token provided is incorrect", "continuation-token")
        if continuation_token == "":
            raise wrong
        after = start_after if continuation_token is None else read_token(continuation_token, wrong)
        page = page_of(place, prefix, delimiter, after, most)
        answer = self._listing(bucket, prefix, delimiter, max_keys, page)
        extra = {
            "StartAfter": start_after,
            "ContinuationToken": continuation_token,
            "NextContinuationToken": write_token(page.last) if page.last else None,
        }
        count = {"KeyCount": len(page.objects) + len(page.groups)}
        return answer | count | {name: value for name, value in extra.items() if value}

    def list_objects(
        self,
        request: Request,
        *,
        bucket: str,
        prefix: str = "",
        delimiter: str = "",
        max_keys: int = 1000,
        marker: str = "",
    ) -> Document:
        """The older form of the list, which boto3's resources still use."""
        place, most = self._bucket(bucket), min(max_keys, self.world.quotas["s3.list_page"])
        page = page_of(place, prefix, delimiter, marker, most)
        answer = self._listing(bucket, prefix, delimiter, max_keys, page) | {"Marker": marker}
        return answer | ({"NextMarker": page.last} if page.last and delimiter else {})

    def _listing(self, bucket: str, prefix: str, delimiter: str, max_keys: int, page: Page) -> Document:
        answer: Document = {"Name": bucket, "Prefix": prefix, "MaxKeys": max_keys, "IsTruncated": bool(page.last)}
        extra = {
            "Contents": [self._entry(stored) for stored in page.objects],
            "CommonPrefixes": [{"Prefix": group} for group in page.groups],
            "Delimiter": delimiter,
        }
        return answer | {name: value for name, value in extra.items() if value}

    def _entry(self, stored: Stored) -> Document:
        modified, etag = self.date(stored.written), f'"{stored.etag}"'
        about = {"Key": stored.key, "LastModified": modified, "ETag": etag, "Size": len(stored.body)}
        return about | {"StorageClass": "STANDARD"}

    # ---- notifications, policies -------------------------------------------------------------------------------------

    def put_bucket_notification_configuration(
        self,
        request: Request,
        *,
        bucket: str,
        notification_configuration: Document,
        skip_destination_validation: bool = False,
    ) -> Document:
        place = self._bucket(bucket)
        if "EventBridgeConfiguration" in notification_configuration:
            raise NotSimulated("s3: EventBridgeConfiguration is not simulated; use a topic, a queue or a function")
        ids = iter(lambda: self.world.chance.uuid("s3/configurations"), None)
        rules = read_rules(notification_configuration, place, ids, self.world.quotas["s3.event_rules"])
        if not skip_destination_validation:
            self._deliveries.test(place, rules, request.row)
        place.rules = tuple(rules)
        return {}

    def get_bucket_notification_configuration(self, request: Request, *, bucket: str) -> Document:
        return show_rules(self._bucket(bucket).rules)

    def put_bucket_policy(self, request: Request, *, bucket: str, policy: str) -> Document:
        place = self._bucket(bucket)
        try:
            parsed = bound(Policy.parse(policy, name=f"bucket {bucket}"), self.world)
        except UnknownPrincipal as error:
            details = {"Detail": f'"AWS" : "{error.arn}"'}
            raise ServiceError("MalformedPolicy", "Invalid principal in policy", details=details) from None
        except MalformedPolicy as error:
            raise ServiceError("MalformedPolicy", _policy_fault(error)) from None
        for statement in parsed.statements:
            if not all(re.fullmatch(re.escape(place.arn) + r"(/.*)?", resource) for resource in statement.resources):
                raise ServiceError("MalformedPolicy", "Policy has invalid resource")
        place.policy, place.policy_text = parsed, policy
        self._registry.guard()
        return {}

    def get_bucket_policy(self, request: Request, *, bucket: str) -> Document:
        place = self._bucket(bucket)
        if place.policy is None:
            raise bucket_error("NoSuchBucketPolicy", "The bucket policy does not exist", bucket, 404)
        return {"Policy": place.policy_text}

    def delete_bucket_policy(self, request: Request, *, bucket: str) -> Document:
        place = self._bucket(bucket)
        place.policy, place.policy_text = None, ""
        return {}


def _source(copy_source: Any) -> tuple[str, str]:
    """The bucket and key in CopySource: "bucket/key", URL-encoded; a dictionary where boto3 is not in between."""
    if isinstance(copy_source, dict):
        return copy_source["Bucket"], copy_source["Key"]
    if "?versionId=" in str(copy_source):
        raise NotSimulated("s3: versions of objects are not simulated")
    bucket, slash, key = unquote(str(copy_source)).lstrip("/").partition("/")
    if not slash or not key:
        raise invalid("Invalid copy source object key", "x-amz-copy-source", "x-amz-copy-source")
    return bucket, key


def _check_conditions(if_match: str | None, if_none_match: str | None) -> None:
    """Raise NotImplemented for the conditions that PutObject does not take."""
    wrong = ""
    if if_match is not None and if_none_match is not None:
        wrong, more = "If-Match,If-None-Match", "Multiple conditional request headers present in the request"
    elif if_match == "*" or if_none_match not in (None, "*"):
        wrong = "If-Match" if if_match else "If-None-Match"
        more = f"We don't accept the provided value of {wrong} header for this API"
    if wrong:
        text = "A header you provided implies functionality that is not implemented"
        details = {"Header": wrong, "additionalMessage": more}
        raise ServiceError("NotImplemented", text, status=501, details=details)


def _policy_fault(error: MalformedPolicy) -> str:
    """What is wrong with a policy, in S3's words where they are known."""
    if error.field == "Policy":
        return "Policies must be valid JSON and the first byte must be '{'"
    if error.field == "Statement" and error.why.startswith("is missing"):
        return "Missing required field Statement"
    return str(error)
