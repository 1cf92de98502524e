"""The public suites that recorded AWS, and how many of their recordings the lab repeats."""

from knowledge import recorded_sqs_fifo, recorded_sqs_time  # noqa: F401  (they add to SQS)
from knowledge.recorded_sqs import SQS

SUITES = (SQS,)


def table() -> str:
    """For each suite how many recordings there are, how many are the same here, and why others are not."""
    return "\n".join(suite.table() for suite in SUITES)


if __name__ == "__main__":
    print(table())
