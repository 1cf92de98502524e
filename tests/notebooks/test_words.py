"""The words of the labs: a term is explained, with its Korean name, where it is used first; what once had to be read
twice, or was not true, does not come back.
"""

import re
from functools import cache

import jupytext
import nbformat
import pytest
from notebooks import build

from lablib.scenarios.lab05 import TruckStream
from lablib.services import quotas
from lablib.workbench.question import question

SOURCES = {path.stem.split("-")[0]: path for path in build.sources(build.ROOT)}
TERMS = [  # the lab, the term, and its Korean names
    ("01", "backlog", "백로그"),
    ("01", "receipt handle", "수신 핸들"),
    ("01", "in flight", "전송 중"),
    ("01", "long poll", "긴 폴링"),
    ("01", "idempotent", "멱등"),
    ("01", "fleet", "플릿"),
    ("02", "poison message", "포이즌 메시지, 독성 메시지"),
    ("02", "short poll", "짧은 폴링"),
    ("04", "subscription", "구독"),
    ("04", "filter policy", "필터 정책"),
    ("04b", "event notification", "이벤트 알림"),
    ("05", "shard iterator", "샤드 반복자"),
]
NO_LONGER = {  # sentences of the first labs, and what was wrong with them
    "have enough to do": "it was to say: are enough",
    "was not slow to crash": "read twice",
    "Point at a ring": "it is a diamond",
    "the order is lost in two places": "read twice",
    "again, up to five times": "those are four retries",
    "the notes": "nobody has them: say 'an AWS course of 2023'",
    "GCM key": "FCM has a token; keys ended in 2024",
}


@cache
def prose(lab):
    cells = jupytext.reads(SOURCES[lab].read_text(encoding="utf-8"), fmt="py:percent").cells
    return " ".join(" ".join(cell.source.split()) for cell in cells if cell.cell_type == "markdown")


@pytest.mark.parametrize(("lab", "term", "korean"), TERMS)
def test_a_term_has_its_korean_name_where_it_is_used_first(lab, term, korean):
    text = re.sub(r"[*`]", "", prose(lab))
    named = re.search(rf"{term}\w* \({korean}\)", text, re.IGNORECASE)
    assert named, f"lab {lab} does not give the Korean name of {term!r}"
    before = re.search(rf"\b{term}", text[: named.start()], re.IGNORECASE)
    assert not before, f"lab {lab} uses {term!r} before: ...{text[before.start() - 40 : before.end() + 20]}..."


@pytest.mark.parametrize("lab", SOURCES)
@pytest.mark.parametrize("words", NO_LONGER)
def test_what_had_to_be_read_twice_does_not_come_back(lab, words):
    assert words not in prose(lab), NO_LONGER[words]


@pytest.mark.parametrize("lab", SOURCES)
def test_a_receive_asks_with_the_name_of_today(lab):
    """`AttributeNames` of ReceiveMessage is the old way; SQS's API reference deprecates it."""
    calls = re.findall(r"receive_message\((.*?)\)", SOURCES[lab].read_text(encoding="utf-8"), re.DOTALL)
    assert not [call for call in calls if re.search(r"(?<!Message)(?<!System)\bAttributeNames=", call)]


def test_lab_01_says_what_is_limited():
    """SQS developer guide: about 120,000 in flight messages for a standard queue."""
    assert "about 120,000 messages of a queue can be in flight" in prose("01")


def test_the_messages_of_a_stuck_queue_are_counted_as_lab_03_says():
    """ "Two messages are in the queue and not in flight": the counters lag, so the cell must wait for them."""
    cells = nbformat.read(SOURCES["03"].with_suffix(".ipynb"), as_version=4).cells
    (printed,) = [out.text for cell in cells for out in cell.get("outputs", []) if "NotVisible'" in out.get("text", "")]
    assert "Two messages are in the queue and not in flight" in prose("03")
    assert "'ApproximateNumberOfMessages': '2', 'ApproximateNumberOfMessagesNotVisible': '2'" in printed


def test_the_busiest_shard_has_as_many_trucks_as_lab_05_answers():
    run = TruckStream().run(seed=7)
    trucks = {(row.resource, row.actor) for row in run.trace.where("RecordPut")}
    shards = [shard for shard, _ in trucks]
    assert question("05.busiest").answer == max(map(shards.count, shards))


@pytest.mark.parametrize("lab", ["05", "06"])
def test_what_aws_counts_in_mebibytes_is_not_called_megabytes(lab):
    """A shard takes 1 MiB a second (API reference, PutRecord), `SizeInMBs` is "in MiBs" (BufferingHints)."""
    limits = {quota.course for quota in quotas("kinesis", "firehose").values() if quota.unit.startswith("bytes")}
    texts = build.ROOT / "lablib" / "texts" / f"{lab}.md"
    lines = [line for path in (SOURCES[lab], texts) for line in path.read_text(encoding="utf-8").splitlines()]
    megabytes = {line: [int(n) << 20 for n in re.findall(r"\b(\d+) MB\b", line)] for line in lines if " kB" not in line}
    assert [line for line, sizes in megabytes.items() if limits & {*sizes} and "6 MB" not in line] == []
