"""Multipart uploads: an object that comes in parts.

Source: S3 API reference, CreateMultipartUpload and the operations beside it; S3 user guide, "Amazon S3 multipart upload
limits". Parts of an upload that is never completed stay, as in AWS; nobody is billed for them here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from lablib.aws.messages import Document
from lablib.aws.service import Request, Service, ServiceError
from lablib.services.s3.store import Bucket, Registry, Stored, check_key, check_metadata, malformed

SMALLEST = 5 * 1024 * 1024  # of a part that is not the last
MOST = 10_000  # parts


@dataclass(eq=False, slots=True)
class Upload:
    """An upload in parts that has begun."""

    id: str
    bucket: str
    key: str
    content_type: str
    metadata: dict[str, str]
    parts: dict[int, tuple[bytes, str, float]] = field(default_factory=dict)  # content, ETag, when it came

    def put(self, number: int, content: bytes, now: float) -> str:
        """Store a part in the place of one with the same number. Returns its ETag. Raises InvalidArgument."""
        if not 1 <= number <= MOST:
            text = f"Part number must be an integer between 1 and {MOST}, inclusive"
            details = {"ArgumentName": "partNumber", "ArgumentValue": str(number)}
            raise ServiceError("InvalidArgument", text, details=details)
        tag = hashlib.md5(content, usedforsecurity=False).hexdigest()
        self.parts[number] = content, tag, now
        return tag

    def whole(self, listed: list[Document]) -> tuple[bytes, str]:
        """The object and its ETag. Raises MalformedXML, InvalidPart, InvalidPartOrder, EntityTooSmall."""
        if not all("PartNumber" in part and "ETag" in part for part in listed):
            raise malformed()
        numbers = [part["PartNumber"] for part in listed]
        if numbers != sorted(set(numbers)):
            text = "The list of parts was not in ascending order. Parts must be ordered by part number."
            raise ServiceError("InvalidPartOrder", text, details={"UploadId": self.id})
        for part in listed:
            if part["PartNumber"] not in self.parts or self.parts[part["PartNumber"]][1] != part["ETag"].strip('"'):
                text = (
                    "One or more of the specified parts could not be found.  The part may not have been uploaded, or "
                    "the specified entity tag may not match the part's entity tag."
                )
                about = {"PartNumber": str(part["PartNumber"]), "ETag": part["ETag"].strip('"'), "UploadId": self.id}
                raise ServiceError("InvalidPart", text, details=about)
        contents = [self.parts[number][0] for number in numbers]
        for content, number in zip(contents[:-1], numbers, strict=False):
            if len(content) < SMALLEST:
                text = "Your proposed upload is smaller than the minimum allowed size"
                about = {"ProposedSize": str(len(content)), "MinSizeAllowed": str(SMALLEST), "PartNumber": str(number)}
                about["ETag"] = self.parts[number][1]
                raise ServiceError("EntityTooSmall", text, details=about)
        tags = b"".join(bytes.fromhex(self.parts[number][1]) for number in numbers)
        return b"".join(contents), f"{hashlib.md5(tags, usedforsecurity=False).hexdigest()}-{len(numbers)}"


class Uploads(Service):
    """The operations on uploads."""

    _registry: Registry

    def _bucket(self, name: str) -> Bucket:
        raise NotImplementedError

    def _bytes(self, body: Any) -> bytes:
        raise NotImplementedError

    def _store(self, request: Request, place: Bucket, stored: Stored, event: str) -> None:
        raise NotImplementedError

    def create_multipart_upload(
        self,
        request: Request,
        *,
        bucket: str,
        key: str,
        content_type: str = "binary/octet-stream",
        metadata: dict[str, str] | None = None,
        checksum_algorithm: str | None = None,
    ) -> Document:
        self._bucket(bucket)
        check_key(key)
        check_metadata(metadata or {})
        id = self.world.chance.uuid("s3/uploads").replace("-", "")
        self._registry.uploads[id] = Upload(id, bucket, key, content_type, dict(metadata or {}))
        return {"Bucket": bucket, "Key": key, "UploadId": id}

    def _upload(self, bucket: str, key: str, id: str) -> Upload:
        found = self._registry.uploads.get(id)
        if found is None or (found.bucket, found.key) != (bucket, key):
            self._bucket(bucket)
            text = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been "
            details = {"UploadId": id}
            raise ServiceError("NoSuchUpload", text + "aborted or completed.", status=404, details=details)
        return found

    def upload_part(
        self,
        request: Request,
        *,
        bucket: str,
        key: str,
        upload_id: str,
        part_number: int,
        body: Any = b"",
        checksum_algorithm: str | None = None,
    ) -> Document:
        return {"ETag": f'"{self._upload(bucket, key, upload_id).put(part_number, self._bytes(body), self.now)}"'}

    def list_parts(self, request: Request, *, bucket: str, key: str, upload_id: str) -> Document:
        upload = self._upload(bucket, key, upload_id)
        parts = [
            {"PartNumber": number, "ETag": f'"{tag}"', "Size": len(content), "LastModified": self.date(time)}
            for number, (content, tag, time) in sorted(upload.parts.items())
        ]
        return {"Bucket": bucket, "Key": key, "UploadId": upload_id, "IsTruncated": False, "Parts": parts}

    def abort_multipart_upload(self, request: Request, *, bucket: str, key: str, upload_id: str) -> Document:
        del self._registry.uploads[self._upload(bucket, key, upload_id).id]
        return {}

    def complete_multipart_upload(
        self, request: Request, *, bucket: str, key: str, upload_id: str, multipart_upload: Document | None = None
    ) -> Document:
        upload, place = self._upload(bucket, key, upload_id), self._bucket(bucket)
        if multipart_upload is None:
            raise ServiceError("InvalidRequest", "You must specify at least one part")
        listed = multipart_upload.get("Parts", [])
        if not listed:
            raise malformed()
        content, tag = upload.whole(listed)
        stored = Stored(key, content, self.now, upload.content_type, upload.metadata, tag)
        del self._registry.uploads[upload_id]
        self._store(request, place, stored, "ObjectCreated:CompleteMultipartUpload")
        return {
            "Location": f"https://{bucket}.s3.amazonaws.com/{key}",
            "Bucket": bucket,
            "Key": key,
            "ETag": f'"{tag}"',
        }
