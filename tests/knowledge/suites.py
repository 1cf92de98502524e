"""The public suites that recorded AWS, and how many of their recordings the lab repeats."""

# The files of the first line add to the suites of the others.
from knowledge import (  # noqa: F401
    recorded_sns_delivery,
    recorded_sns_filters,
    recorded_sns_push,
    recorded_sqs_fifo,
    recorded_sqs_time,
)
from knowledge.recorded_kinesis import KINESIS
from knowledge.recorded_sns import SNS
from knowledge.recorded_sqs import SQS

SUITES = (SQS, SNS, KINESIS)


def table() -> str:
    """For each suite how many recordings there are, how many are the same here, and why others are not."""
    return "\n".join(suite.table() for suite in SUITES)


if __name__ == "__main__":
    print(table())
