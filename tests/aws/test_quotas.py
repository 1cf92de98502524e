"""Every quota has an effect: some code reads it. A number that can be set and changes nothing only looks like one."""

import ast
import re
from pathlib import Path

import lablib
from lablib.services import quotas

# Prices that the table of limits tells and no bill has: a run is no month of an account, and knows no volumes of disks.
TOLD = ("mq.price_ebs", "mq.price_efs", "sqs.price_free")
ROOT = Path(lablib.__file__).parent


def patterns():
    """Of every text in the library, but for the names of declarations, and of every text with gaps in it."""
    for path in ROOT.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
        declared = {id(call.args[0]) for call in calls if getattr(call.func, "id", "") in ("quota", "assumed", "Quota")}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in declared:
                yield re.escape(node.value)
            elif isinstance(node, ast.JoinedStr):
                text = "".join(p.value if isinstance(p, ast.Constant) else "*" for p in node.values)
                if re.search("[a-z]{4}", text.partition(".")[2] or text):  # one that fits every name would say nothing
                    yield re.escape(text).replace(r"\*", ".*")


def test_every_quota_is_read_by_some_code():
    read = re.compile("|".join({f"(?:{pattern})" for pattern in patterns() if len(pattern) < 100}))
    assert [name for name in sorted(quotas()) if not read.fullmatch(name)] == sorted(TOLD)
