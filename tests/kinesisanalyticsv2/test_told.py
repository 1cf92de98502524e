"""What analytics, the warehouse and the search domain write into the trace is told, counted and folded as all is."""

from kinesisanalyticsv2.conftest import Lab
from opensearch.conftest import Lab as Search
from redshift.conftest import Lab as Warehouse

from lablib.measures import Measures
from lablib.measures.notable import notable
from lablib.measures.tokens import fold


def counted(trace, what):
    return len(Measures(trace).counted(what))


def test_a_job():
    lab = Lab()
    late = []

    def job(env):
        windows = env.from_stream("rides").event_time(lambda ride: ride["time"]).key_by(lambda ride: ride["lift"])
        windows = windows.tumbling(60)
        windows.count().to(lab.out.append)
        windows.late.to(late.append)

    lab.start(job)
    lab.ride(60, 61)
    lab.cloud.advance(1)
    lab.ride(120)
    lab.cloud.advance(1)
    lab.ride(62)
    lab.cloud.advance(1)
    lab.cloud.kill("analytics/counts-1")
    lab.cloud.advance(70)
    trace = lab.cloud.trace
    told = {event.kind: event.text for event in notable(trace)}
    assert told["job failed"] == "counts fails: killed. It goes back to its last checkpoint."
    assert told["late record"] == "counts leaves a record of north out: it is late."
    assert counted(trace, "late") == 1
    assert counted(trace, "windows") >= 1
    found = fold(trace)
    reading = {found.name(token.holder) for token in found.tokens if token.state == "reading"}
    assert "analytics/counts" in reading, "its position is a flag on the tape, as every reader's"


def test_a_warehouse():
    lab = Warehouse()
    lab.run("CREATE TABLE t (a INT)")
    lab.put("a", "1\nx\n")
    lab.copy("t", "a", "MAXERROR 5")
    lab.error("selec 1")
    trace = lab.cloud.trace
    told = {event.kind: event.text for event in notable(trace)}
    assert told["SQL error"] == 'lab/dev refuses a statement: ERROR: syntax error at or near "selec"'
    assert told["load error"].startswith("lab/dev/t cannot take line 2 of s3://files/a: Invalid digit")
    assert (counted(trace, "statements"), counted(trace, "load errors")) == (2, 1)
    assert not [token for token in fold(trace).tokens if token.state == "waiting" and token.end is None]


def test_a_domain():
    lab = Search()
    lab.bulk({"n": 1}, {"n": "x"})
    trace = lab.cloud.trace
    told = {event.kind: event.text for event in notable(trace)}
    assert told["document refused"].startswith("lifts/rides refuses a document of reader: failed to parse field [n]")
    assert (counted(trace, "indexed"), counted(trace, "refused")) == (1, 1)
    assert [token.state for token in fold(trace).tokens] == ["kept"]
