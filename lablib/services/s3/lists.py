"""Lists of objects: in the order of their keys in UTF-8, a page at a time, keys with a common prefix rolled up.

Source: S3 user guide, "Listing object keys programmatically"; S3 API reference, ListObjectsV2, ListObjects.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from lablib.services.s3.store import Bucket, Stored, invalid


class Page(NamedTuple):
    """A page: objects, common prefixes, and the last of either when the list goes on, else empty."""

    objects: list[Stored]
    groups: list[str]
    last: str


def page_of(place: Bucket, prefix: str, delimiter: str, after: str, most: int) -> Page:
    """The page that begins behind `after`, a key or a common prefix. Raises InvalidArgument for a negative `most`."""
    if most < 0:
        raise invalid("Argument max-keys must be an integer between 0 and 2147483647")
    objects: list[Stored] = []
    groups: list[str] = []
    last = after
    for name, stored in _entries(place, prefix, delimiter, after):
        if len(objects) + len(groups) == most:
            return Page(objects, groups, last if most else "")
        if stored is None:
            groups.append(name)
        else:
            objects.append(stored)
        last = name
    return Page(objects, groups, "")


def _entries(place: Bucket, prefix: str, delimiter: str, after: str) -> Iterator[tuple[str, Stored | None]]:
    """Keys with their objects, and each common prefix once, in order."""
    group = ""
    for stored in place.after(after):
        key = stored.key
        if not key.startswith(prefix):
            continue
        end = key.find(delimiter, len(prefix)) if delimiter else -1
        if end < 0:
            yield key, stored
            continue
        found = key[: end + len(delimiter)]
        if found != group and not after.startswith(found):
            yield found, None
        group = found
