"""Amazon Resource Names."""

from __future__ import annotations

from typing import NamedTuple

ACCOUNT = "123456789012"  # the account number that AWS uses in its own examples


class Arn(NamedTuple):
    """An Amazon Resource Name, `arn:aws:service:region:account:resource`."""

    service: str
    region: str
    account: str
    resource: str

    @classmethod
    def parse(cls, text: str) -> Arn | None:
        """The parts of an ARN; None when `text` is not one."""
        parts = text.split(":", 5)
        return (
            cls(*parts[2:]) if len(parts) == 6 and parts[:2] == ["arn", "aws"] and all(parts[2:3] + parts[5:]) else None
        )

    def __str__(self) -> str:
        return f"arn:aws:{':'.join(self)}"
