"""Quotas of Kinesis Video Streams, and what the model assumes."""

from __future__ import annotations

from lablib.aws.quotas import Quota, assumed, quota

MB = 1_000_000
_LIMITS = "guide: service quotas"
_CREATE = "API: CreateStream"

QUOTAS: tuple[Quota, ...] = (
    quota("kinesisvideo.streams", 10_000, 10_000, "streams", _LIMITS),
    quota("kinesisvideo.retention_max", 87_600, 87_600, "hours", "API: UpdateDataRetention"),
    quota("kinesisvideo.buffer_time", 300, 300, "s", _CREATE + " (kept with a retention of 0)"),
    quota("kinesisvideo.buffer_size", 200 * MB, 200 * MB, "bytes", _CREATE + " (kept with a retention of 0)"),
    quota("kinesisvideo.fragment_min", 1, 1, "s", _LIMITS + " (PutMedia)"),
    quota("kinesisvideo.fragment_max", 20, 20, "s", _LIMITS + " (PutMedia)"),
    quota("kinesisvideo.fragment_size", 50 * MB, 50 * MB, "bytes", _LIMITS + " (PutMedia)"),
    quota("kinesisvideo.calls", 5, 5, "calls/s per stream", "API: GetMedia; " + _LIMITS),
    quota("kinesisvideo.read", 25 * MB, 25 * MB, "bytes/s per connection", "API: GetMedia"),
    quota("kinesisvideo.page", 1000, 1000, "fragments", "API: ListFragments, GetMediaForFragmentList"),
    quota("kinesisvideo.tags", 50, 50, "tags", "API: TagStream"),
    assumed("kinesisvideo.change_time", 2, "s", "CREATING, UPDATING and DELETING", 0, 3600),
    assumed("kinesisvideo.receive_time", 0.05, "s", "from a fragment's last frame until it is received", 0, 60),
    assumed("kinesisvideo.persist_time", 0.2, "s", "from RECEIVED until PERSISTED, and until it is listed", 0, 60),
    assumed("kinesisvideo.idle", 30, "s", "until GetMedia ends when no fragment comes", 1, 3600),
)
