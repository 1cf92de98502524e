"""Amazon Resource Names."""

from __future__ import annotations

from typing import NamedTuple

ACCOUNT = "123456789012"  # the account number that AWS uses in its own examples


PARTITIONS = ("aws", "aws-cn", "aws-us-gov")


class Arn(NamedTuple):
    """An Amazon Resource Name, `arn:aws:service:region:account:resource`. `partition`: "" for that of its region."""

    service: str
    region: str
    account: str
    resource: str
    partition: str = ""

    @classmethod
    def parse(cls, text: str) -> Arn | None:
        """The parts of an ARN; None when `text` is not one."""
        parts = text.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn" or parts[1] not in PARTITIONS or not parts[2] or not parts[5]:
            return None
        _, partition, service, region, account, resource = parts
        return cls(service, region, account, resource, "" if partition == partition_of(region) else partition)

    def __str__(self) -> str:
        return f"arn:{self.partition or partition_of(self.region)}:{':'.join(self[:4])}"


def partition_of(region: str) -> str:
    """The partition of a region: China and the regions of the US government are worlds of their own."""
    return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"


def root_of(account: str, region: str) -> str:
    """The ARN that stands for a whole account in the policies of resources of that region."""
    return f"arn:{partition_of(region)}:iam::{account}:root"


def domain_of(region: str) -> str:
    """The domain under which a region's endpoints are."""
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
