"""Amazon Resource Names."""

from __future__ import annotations

from typing import NamedTuple

ACCOUNT = "123456789012"  # the account number that AWS uses in its own examples


PARTITIONS = ("aws", "aws-cn", "aws-us-gov")


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
        known = len(parts) == 6 and parts[0] == "arn" and parts[1] in PARTITIONS
        return cls(*parts[2:]) if known and all(parts[2:3] + parts[5:]) else None

    def __str__(self) -> str:
        return f"arn:{partition_of(self.region)}:{':'.join(self)}"


def partition_of(region: str) -> str:
    """The partition of a region: China and the regions of the US government are worlds of their own."""
    return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"


def domain_of(region: str) -> str:
    """The domain under which a region's endpoints are."""
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
