"""SQL applications, as they were in 2023: pumps, filters, tumbling, sliding and stagger windows."""

import json

import pytest
from aws_errors import code_and_message, guide, ours
from kinesisanalyticsv2.conftest import ROLE, Lab

from lablib.aws.service import NotSimulated
from lablib.gateway import Fault

SOURCE = '"SOURCE_SQL_STREAM_001"'
COLUMNS = [("TICKER", "$.ticker", "VARCHAR(8)"), ("PRICE", "$.price", "DOUBLE"), ("EVENT_TIME", "$.time", "TIMESTAMP")]


class SqlLab(Lab):
    """The stream "rides" is the input, the stream "out" the output of DESTINATION_SQL_STREAM."""

    def __init__(self, **more):
        super().__init__(**more)
        self.stream("out")
        self.arn = "arn:aws:kinesis:us-east-1:123456789012:stream/"

    def sql(self, code, output=None, format="JSON", mapping=None, **more):
        schema = {
            "RecordFormat": {"RecordFormatType": format, **({"MappingParameters": mapping} if mapping else {})},
            "RecordColumns": [{"Name": n, "Mapping": m, "SqlType": t} for n, m, t in COLUMNS],
        }
        source = {"NamePrefix": "SOURCE_SQL_STREAM", "KinesisStreamsInput": {"ResourceARN": f"{self.arn}rides"}}
        target = output or {"KinesisStreamsOutput": {"ResourceARN": f"{self.arn}out"}}
        target = {"Name": "DESTINATION_SQL_STREAM", "DestinationSchema": {"RecordFormatType": "JSON"}, **target}
        configuration = {
            "SqlApplicationConfiguration": {"Inputs": [{**source, "InputSchema": schema}], "Outputs": [target]},
            "ApplicationCodeConfiguration": {"CodeContentType": "PLAINTEXT", "CodeContent": {"TextContent": code}},
        }
        return self.analytics.create_application(
            ApplicationName="counts", RuntimeEnvironment="SQL-1_0", ServiceExecutionRole=ROLE,
            ApplicationConfiguration=configuration, **more,
        )["ApplicationDetail"]  # fmt: skip

    def run(self, code, position="NOW", **more):
        self.sql(code, **more)
        self.begin(position)

    def begin(self, position="NOW"):
        where = {"InputId": "1.1", "InputStartingPositionConfiguration": {"InputStartingPosition": position}}
        self.start(RunConfiguration={"SqlRunConfigurations": [where]})
        now = self.cloud.now
        self.cloud.advance(60 - now % 60)  # a full minute

    def tick(self, ticker, *prices, **more):
        for price in prices:
            body = json.dumps({"ticker": ticker, "price": price, **more})
            self.kinesis.put_record(StreamName="rides", Data=body, PartitionKey=ticker)


def code(columns, select, into="DESTINATION_SQL_STREAM"):
    return (
        f'CREATE OR REPLACE STREAM "{into}" ({columns});\n'
        f'CREATE OR REPLACE PUMP "{into}_PUMP" AS INSERT INTO "{into}"\n{select};'
    )


@guide
def test_a_filter():
    lab = SqlLab()
    lab.run(code("ticker VARCHAR(4), price DOUBLE", f"SELECT STREAM ticker, price * 2 FROM {SOURCE} WHERE price > 10"))
    lab.tick("AMZN", 5, 11)
    lab.tick("TOO LONG", 20)
    lab.cloud.advance(3)
    assert lab.read("out") == [{"TICKER": "AMZN", "PRICE": 22.0}, {"TICKER": "TOO LONG", "PRICE": 40.0}]


@guide
@pytest.mark.parametrize("window", [f"STEP({SOURCE}.ROWTIME BY INTERVAL '60' SECOND)", "FLOOR(S.ROWTIME TO MINUTE)"])
def test_a_tumbling_window_ends_by_the_clock_of_the_application(window):
    lab = SqlLab()
    alias = "" if "SOURCE" in window else "AS S"
    fields = "ROWTIME, ticker, MIN(price), MAX(price), COUNT(*)"
    select = f"SELECT STREAM {fields} FROM {SOURCE} {alias} GROUP BY ticker, {window}"
    lab.run(code("ends TIMESTAMP, ticker VARCHAR(4), low DOUBLE, high DOUBLE, n INTEGER", select))
    lab.tick("A", 1, 3)
    lab.tick("B", 7)
    lab.cloud.advance(57)
    assert lab.read("out") == []
    lab.cloud.advance(5)
    rows = lab.read("out")
    assert [(r["TICKER"], r["LOW"], r["HIGH"], r["N"]) for r in rows] == [("A", 1, 3, 2), ("B", 7, 7, 1)]
    assert all(r["ENDS"].endswith(":00.000") for r in rows)
    lab.cloud.advance(61)
    assert len(lab.read("out")) == 2, "an empty window gives nothing"


@guide
def test_tumbling_windows_give_partial_results_and_stagger_windows_do_not():
    """Developer guide, "Stagger Windows": the same event time, read around a full minute."""
    event = "2023-04-01 00:02:30"
    columns = "event_time TIMESTAMP, ticker VARCHAR(4), n INTEGER"
    fields = f"SELECT STREAM FLOOR(event_time TO MINUTE), ticker, COUNT(*) FROM {SOURCE}"
    group = f"GROUP BY ticker, FLOOR(event_time TO MINUTE), STEP({SOURCE}.ROWTIME BY INTERVAL '60' SECOND)"
    stagger = "WINDOWED BY STAGGER (PARTITION BY FLOOR(event_time TO MINUTE), ticker RANGE INTERVAL '1' MINUTE)"
    counts = {}
    for how in (group, stagger):
        lab = SqlLab()
        lab.run(code(columns, f"{fields} {how}"))
        lab.cloud.advance(40)
        lab.tick("A", 1, 2, time=event)
        lab.cloud.advance(30)
        lab.tick("A", 3, 4, time=event)
        lab.cloud.advance(100)
        counts[how] = [row["N"] for row in lab.read("out")]
    assert counts == {group: [2, 2], stagger: [4]}


@guide
@pytest.mark.parametrize(
    "over",
    [("OVER (PARTITION BY ticker RANGE INTERVAL '10' SECOND PRECEDING)", ""),
     ("OVER w1", "WINDOW w1 AS (PARTITION BY ticker RANGE INTERVAL '10' SECOND PRECEDING)")],
)  # fmt: skip
def test_a_sliding_window_gives_a_result_for_each_row(over):
    lab = SqlLab()
    lab.run(code("ticker VARCHAR(4), a DOUBLE", f"SELECT STREAM ticker, AVG(price) {over[0]} FROM {SOURCE} {over[1]}"))
    for ticker, price in (("A", 1), ("A", 3), ("B", 10), ("A", 5)):
        lab.tick(ticker, price)
        lab.cloud.advance(6)
    assert [(r["TICKER"], r["A"]) for r in lab.read("out")] == [("A", 1), ("A", 2), ("B", 10), ("A", 5)]


@guide
def test_pumps_follow_each_other():
    lab = SqlLab()
    first = code("ticker VARCHAR(4), cents INTEGER", f"SELECT STREAM ticker, price * 100 FROM {SOURCE}", "MIDDLE")
    second = code("ticker VARCHAR(4), cents INTEGER", 'SELECT STREAM ticker, cents FROM "MIDDLE" WHERE cents > 100')
    lab.run(f"-- two pumps\n{first}\n/* and ; */ {second}")
    lab.tick("A", 1, 2)
    lab.cloud.advance(3)
    assert lab.read("out") == [{"TICKER": "A", "CENTS": 200}]


@guide
def test_outputs_to_a_function_and_named_columns():
    lab = SqlLab()
    got = []
    arn = lab.cloud.deploy("take", lambda event, context: got.extend(r["data"] for r in event["records"]))
    destination = 'CREATE STREAM "DESTINATION_SQL_STREAM" (a VARCHAR(4), b DOUBLE);'
    pump = f'CREATE PUMP "P" AS INSERT INTO "DESTINATION_SQL_STREAM" (b) SELECT STREAM price FROM {SOURCE}'
    lab.run(destination + pump, output={"LambdaOutput": {"ResourceARN": arn}})
    lab.tick("A", 1.5)
    lab.cloud.advance(5)
    assert got == ['{"A": null, "B": 1.5}']


@ours
def test_a_record_that_does_not_fit_is_told_and_left_out():
    lab = SqlLab()
    lab.run(code("ticker VARCHAR(4), price DOUBLE", f"SELECT STREAM ticker, price FROM {SOURCE}"))
    lab.kinesis.put_record(StreamName="rides", Data=b"no json", PartitionKey="k")
    lab.tick("A", "many")
    lab.cloud.advance(3)
    assert lab.read("out") == [{"TICKER": "A", "PRICE": None}]
    (row,) = lab.cloud.trace.where(kind="RowRefused")
    assert row.detail.startswith("JSONDecodeError")


@guide
@pytest.mark.parametrize(("position", "prices"), [("LAST_STOPPED_POINT", [1, 2, 3]), ("NOW", [1, 3])])
def test_it_goes_on_where_it_was_stopped(position, prices):
    lab = SqlLab()
    lab.run(code("price DOUBLE", f"SELECT STREAM price FROM {SOURCE}"))
    lab.tick("A", 1)
    lab.cloud.advance(3)
    lab.analytics.stop_application(ApplicationName="counts")
    lab.until("READY")
    lab.tick("A", 2)
    lab.cloud.advance(3)
    lab.begin(position)
    lab.tick("A", 3)
    lab.cloud.advance(3)
    assert [row["PRICE"] for row in lab.read("out")] == prices


@ours
def test_after_a_crash_it_goes_on_with_the_rows_that_it_had():
    lab = SqlLab()
    window = f"GROUP BY STEP({SOURCE}.ROWTIME BY INTERVAL '60' SECOND)"
    lab.run(code("n INTEGER", f"SELECT STREAM COUNT(*) FROM {SOURCE} {window}"))
    lab.tick("A", 1, 2)
    lab.cloud.advance(3)
    lab.cloud.kill("analytics/counts-1")
    lab.tick("A", 3)
    lab.cloud.advance(70)
    assert [row["N"] for row in lab.read("out")] == [3]


@guide
def test_it_describes_its_input_and_output():
    lab = SqlLab()
    detail = lab.sql(code("price DOUBLE", f"SELECT STREAM price FROM {SOURCE}"))
    about = detail["ApplicationConfigurationDescription"]["SqlApplicationConfigurationDescription"]
    assert about["InputDescriptions"][0]["InAppStreamNames"] == ["SOURCE_SQL_STREAM_001"]
    assert about["OutputDescriptions"][0]["Name"] == "DESTINATION_SQL_STREAM"


TYPES = (
    "BIGINT, BINARY, BOOLEAN, CHAR, CHARACTER, DATE, DEC, DECIMAL, DOUBLE, INT, INTEGER, INTERVAL, NUMERIC, REAL, "
    "SMALLINT, TIME, TIMESTAMP, TINYINT, VARBINARY, VARCHAR"
)
CHAIN = f"CREATE STREAM S0 (x DOUBLE); CREATE PUMP P0 AS INSERT INTO S0 SELECT STREAM price FROM {SOURCE};" + "".join(
    f"CREATE STREAM S{n} (x DOUBLE); CREATE PUMP P{n} AS INSERT INTO S{n} SELECT STREAM x FROM S{n - 1};"
    for n in range(1, 200)
)
WRONG = [
    ("nonsense", "neither CREATE STREAM nor CREATE PUMP ... SELECT STREAM: nonsense"),
    ('CREATE STREAM "A" (x INTEGER)', "the code has no pump"),
    (code("price DOUBLE", f"SELECT STREAM cost FROM {SOURCE}"), 'column "cost" does not exist'),
    (code("price DOUBLE", f"SELECT STREAM price FORM {SOURCE}"), "SELECT STREAM needs FROM and one stream"),
    (code("price DOUBLE", f"SELECT STREAM price, ticker FROM {SOURCE}"),
     "pump DESTINATION_SQL_STREAM_PUMP gives 2 columns, DESTINATION_SQL_STREAM takes 1"),
    (code("n INTEGER", f"SELECT STREAM COUNT(*) FROM {SOURCE} GROUP BY ticker"),
     "GROUP BY needs STEP(... ROWTIME BY INTERVAL ...) or FLOOR(... ROWTIME TO ...): a stream has no end"),
    (code("price DOUBLE", 'SELECT STREAM price FROM "OTHER"'), "stream OTHER does not exist"),
    (code("price", f"SELECT STREAM price FROM {SOURCE}"), "a column needs a name and a type: price"),
    (code("price DOUBLE", 'SELECT STREAM price FROM "DESTINATION_SQL_STREAM"'),
     "the pumps into stream DESTINATION_SQL_STREAM go round, or are more than 50 one after another"),
    (CHAIN, "the pumps into stream S100 go round, or are more than 50 one after another"),
    (code("n INTEGER", f"SELECT STREAM COUNT(*) FROM {SOURCE} GROUP BY STEP({SOURCE}.ROWTIME BY INTERVAL '0' SECOND)"),
     "INTERVAL '0' SECOND: must be longer than zero, in at most 10 digits"),
    (code("n INTEGER", f"SELECT STREAM COUNT(*) OVER (RANGE INTERVAL '00' DAY PRECEDING) FROM {SOURCE}"),
     "INTERVAL '00' DAY: must be longer than zero, in at most 10 digits"),
    (code("n INTEGER", f"SELECT STREAM COUNT(*) FROM {SOURCE} WINDOWED BY STAGGER (PARTITION BY ticker RANGE "
          f"INTERVAL '{'9' * 5000}' DAY)"),
     "INTERVAL '99999999999999999999' DAY: must be longer than zero, in at most 10 digits"),
    (code("price BLOB", f"SELECT STREAM price FROM {SOURCE}"), f"'BLOB' is no type of a column; there are: {TYPES}"),
    (code("price DOUBLE", f"SELECT STREAM price FROM {SOURCE}").replace("INTO \"DESTINATION_SQL_STREAM\"",
                                                                        "INTO \"DESTINATION_SQL_STREAM\" (cost)"),
     "stream DESTINATION_SQL_STREAM has no column COST"),
    (code("price DOUBLE", f"SELECT STREAM price FROM {SOURCE} WHERE ticker = '\2'"),
     "the code has a control character in it"),
]  # fmt: skip


@pytest.fixture(scope="module")
def sql():
    return SqlLab()


@ours
@pytest.mark.parametrize(("text", "message"), WRONG)
def test_code_that_does_not_parse_is_refused(sql, text, message):
    assert code_and_message(sql.sql, text) == (
        "CodeValidationException",
        f"The user-provided application code (query) is not valid: {message}",
    )
    assert sql.analytics.list_applications()["ApplicationSummaries"] == []


@ours
@pytest.mark.parametrize("depth", [2000, 20_000])
def test_deep_nesting_is_refused_in_one_line(sql, depth):
    text = code("price DOUBLE", f"SELECT STREAM {'(' * depth}price{')' * depth} FROM {SOURCE}")
    failed, message = code_and_message(sql.sql, text)
    assert failed == "CodeValidationException" and "depth" in message and "\n" not in message


@guide
def test_words_of_sql_in_texts_and_names_are_only_texts_and_names():
    """SQL reference, "Reserved words and keywords": within double quotes any name will do."""
    lab = SqlLab()
    texts = "' FROM x', '{source}', '; --', 'two  spaces', 'GROUP BY', '{end}'"
    columns = ", ".join(f"{name} VARCHAR(20)" for name in ('"ünï ☃"', '"a;b"', '"it\'s"', "c", "d", "e"))
    lab.run(code(columns, f'SELECT STREAM {texts} FROM {SOURCE} AS "it\'s" WHERE "it\'s".price > 0'))
    lab.tick("A", 1)
    lab.cloud.advance(3)
    (row,) = lab.read("out")
    assert list(row) == ["ünï ☃", "a;b", "it's", "C", "D", "E"]
    assert list(row.values()) == [" FROM x", "{source}", "; --", "two  spaces", "GROUP BY", "{end}"]


@guide
def test_the_from_of_extract_is_not_that_of_the_query():
    """SQL reference, "EXTRACT"."""
    lab = SqlLab()
    lab.run(code("h INTEGER", f"SELECT STREAM EXTRACT(HOUR FROM event_time) FROM {SOURCE}"))
    lab.tick("A", 1, time="2023-04-01 17:02:30")
    lab.cloud.advance(3)
    assert lab.read("out") == [{"H": 17}]


@ours
def test_names_of_columns_are_names_whatever_is_in_them(monkeypatch):
    evil = 'x" INTEGER); DROP TABLE "DESTINATION_SQL_STREAM"; --'
    monkeypatch.setitem(globals(), "COLUMNS", [*COLUMNS, (evil, "$.price", "DOUBLE")])
    lab = SqlLab()
    lab.run(code("price DOUBLE", f"SELECT STREAM price FROM {SOURCE}"))
    lab.tick("A", 1)
    lab.cloud.advance(3)
    assert lab.read("out") == [{"PRICE": 1}]
    monkeypatch.setitem(globals(), "COLUMNS", [("X", "$.price", 'DOUBLE); DROP TABLE "A"; --')])
    failed, message = code_and_message(SqlLab().sql, code("price DOUBLE", f"SELECT STREAM x FROM {SOURCE}"))
    assert failed == "CodeValidationException" and "is no type of a column" in message


@ours
@pytest.mark.parametrize("interval", ["'999999' DAY", "'1' SECOND"])
def test_a_window_may_be_longer_than_history(interval):
    lab = SqlLab()
    lab.run(code("n INTEGER", f"SELECT STREAM COUNT(*) OVER (RANGE INTERVAL {interval} PRECEDING) FROM {SOURCE}"))
    lab.tick("A", 1, 2)
    lab.cloud.advance(3)
    assert [row["N"] for row in lab.read("out")][-1] == 2
    assert lab.cloud.trace.where(kind="JobFailed") == []


@ours
@pytest.mark.parametrize("format", ["JSON", "CSV"])
def test_a_record_that_no_column_can_hold_stops_nothing(format):
    """The others of its batch come through; on AWS such a record goes to the error stream."""
    lab = SqlLab()
    lab.run(code("ticker VARCHAR(40), price DOUBLE", f"SELECT STREAM ticker, price FROM {SOURCE}"), format=format)
    bodies = {
        "JSON": [b'{"ticker": "\\ud800", "price": 1}', b'{"price": 1' + b"0" * 5000 + b"}", b"\xff\xfe", b"[" * 5000,
                 b'{"ticker": "big", "price": 1' + b"0" * 300 + b"}", b'{"ticker": {"a": [1]}, "price": "x"}'],
        "CSV": [b"A", b"A,1,2,3,4", b"\xff,1,2", b"", b"big,1" + b"0" * 300 + b",", b'"{""a""}",x,'],
    }[format]  # fmt: skip
    for body in bodies:
        lab.kinesis.put_record(StreamName="rides", Data=body or b" ", PartitionKey="k")
    lab.cloud.advance(5)
    assert [row["PRICE"] for row in lab.read("out")] == [1e300, None]
    assert len(lab.cloud.trace.where(kind="RowRefused")) == 4
    assert lab.cloud.trace.where(kind="JobFailed") == []


@guide
@pytest.mark.parametrize(
    ("rows", "columns", "body"),
    [("\n", ",", "A,1,\nB,2,\n"), ("|", "\t", "A\t1\t|B\t2\t"), ("\n", "::", "A::1::\n\nB::2::")],
)
def test_lines_and_columns_are_parted_as_the_input_says(rows, columns, body):
    mapping = {"CSVMappingParameters": {"RecordRowDelimiter": rows, "RecordColumnDelimiter": columns}}
    lab = SqlLab()
    select = f"SELECT STREAM ticker, price FROM {SOURCE}"
    lab.run(code("ticker VARCHAR(4), price DOUBLE", select), format="CSV", mapping=mapping)
    lab.kinesis.put_record(StreamName="rides", Data=body, PartitionKey="k")
    lab.cloud.advance(3)
    assert [(row["TICKER"], row["PRICE"]) for row in lab.read("out")] == [("A", 1.0), ("B", 2.0)]


@guide
def test_a_record_may_hold_a_list_of_rows():
    lab = SqlLab()
    mapping = {"JSONMappingParameters": {"RecordRowPath": "$.day.trades"}}
    lab.run(code("ticker VARCHAR(4), price DOUBLE", f"SELECT STREAM ticker, price FROM {SOURCE}"), mapping=mapping)
    trades = [{"ticker": "A", "price": 1}, {"ticker": "B", "price": 2}]
    lab.kinesis.put_record(StreamName="rides", Data=json.dumps({"day": {"trades": trades}}), PartitionKey="k")
    lab.kinesis.put_record(StreamName="rides", Data=json.dumps({"day": {"trades": trades[0]}}), PartitionKey="k")
    lab.cloud.advance(3)
    assert [row["TICKER"] for row in lab.read("out")] == ["A", "B", "A"]


@guide
def test_rows_that_the_output_throttles_are_put_again():
    """At least once (Kinesis Data Analytics for SQL developer guide, "Delivery model for persisting output")."""
    lab = SqlLab()
    lab.run(code("ticker VARCHAR(4), price DOUBLE", f"SELECT STREAM ticker, price FROM {SOURCE}"))
    lab.cloud.faults.add(Fault("partial", ("PutRecords",), count=2))
    lab.tick("A", *range(20))
    lab.cloud.advance(10)
    assert sorted(row["PRICE"] for row in lab.read("out")) == list(range(20))


@ours
def test_a_running_sql_application_cannot_be_updated():
    lab = SqlLab()
    lab.run(code("price DOUBLE", f"SELECT STREAM price FROM {SOURCE}"))
    with pytest.raises(NotSimulated, match="an update of a SQL application is not simulated"):
        lab.analytics.update_application(ApplicationName="counts", CurrentApplicationVersionId=1)
    lab.tick("A", 1)
    lab.cloud.advance(3)
    assert lab.read("out") == [{"PRICE": 1}]


@ours
@pytest.mark.parametrize(
    ("select", "word"),
    [
        (f'SELECT STREAM a.price FROM {SOURCE} AS a JOIN "B" ON TRUE', "JOIN"),
        (f"SELECT STREAM price FROM TABLE(RANDOM_CUT_FOREST(CURSOR(SELECT STREAM * FROM {SOURCE})))", "TABLE"),
        (f"SELECT STREAM AVG(price) OVER (ROWS 3 PRECEDING) FROM {SOURCE}", "ROWS 3"),
        (f"SELECT STREAM DISTINCT ticker FROM {SOURCE}", "DISTINCT"),
        (f"SELECT STREAM version() FROM {SOURCE}", "version"),
        (f"SELECT STREAM a.price FROM {SOURCE} a, {SOURCE} b", "JOIN"),
        (f"SELECT STREAM (SELECT 1) FROM {SOURCE}", "a SELECT in brackets"),
    ],
)
def test_what_the_lab_has_not_is_refused_by_name(sql, select, word):
    with pytest.raises(NotSimulated, match=f"^kinesisanalyticsv2: {word}.* in SQL is not simulated"):
        sql.sql(code("price DOUBLE", select))
