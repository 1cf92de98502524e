"""Moments as AWS writes them. All are given in seconds since 1970."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(time: float) -> datetime:
    """A date with its fraction of a second, in UTC."""
    return datetime.fromtimestamp(time, UTC)


def iso(time: float) -> str:
    """A date in the documents that AWS sends: 2023-04-01T00:00:00.000Z."""
    return moment(time).isoformat(timespec="milliseconds").replace("+00:00", "Z")
