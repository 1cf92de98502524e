"""COPY from the simulated S3: formats, manifests, load errors."""

import gzip
import json

import pytest
from aws_errors import guide, ours, reported
from hypothesis import given, settings
from hypothesis import strategies as st
from redshift.conftest import ROLE, Lab

from lablib.aws.service import NotSimulated

TABLE = "CREATE TABLE rides (lift VARCHAR(5) NOT NULL, riders INT, price DECIMAL(5,2), seen TIMESTAMP, full_up BOOLEAN)"
FAILED = "ERROR: Load into table 'rides' failed.  Check 'stl_load_errors' system table for details."


@pytest.fixture
def lab():
    lab = Lab()
    lab.run(TABLE)
    return lab


@guide
def test_a_prefix_loads_all_objects_that_begin_with_it(lab):
    lab.put("in/1", "a|1|1.50|2023-04-01 10:00:00|t\n")
    lab.put("in/2", "b|||\\N|f\n")
    lab.put("other", "c|1|1|2023-04-01 10:00:00|t\n")
    assert lab.copy("rides", "in/")["ResultRows"] == 2
    assert lab.rows("SELECT * FROM rides ORDER BY lift") == [
        ("a", 1, "1.50", "2023-04-01 10:00:00", True),
        ("b", None, None, None, False),
    ]


@guide
@pytest.mark.parametrize("between", ["", "\n", " \n\n"])
def test_json_objects_need_nothing_between_them(lab, between):
    body = between.join(json.dumps({"lift": name, "riders": n, "unknown": {}}) for n, name in enumerate("abc"))
    lab.put("rides.json", body)
    lab.copy("rides", "rides.json", "JSON 'auto'")
    assert lab.rows("SELECT lift, riders, price FROM rides") == [("a", 0, None), ("b", 1, None), ("c", 2, None)]


@guide
def test_names_in_json_are_those_of_the_columns_in_small_letters(lab):
    lab.put("a", [{"lift": "a", "Riders": 1}])
    lab.copy("rides", "a", "JSON 'auto'")
    lab.copy("rides", "a", "JSON 'auto ignorecase'")
    assert lab.rows("SELECT lift, riders FROM rides") == [("a", None), ("a", 1)]


@guide
def test_csv_with_quotes_a_header_gzip_and_chosen_columns(lab):
    lab.put("a.gz", gzip.compress(b'riders,lift\n1,"a,""b"\n2,"c\nd"\n'))
    lab.copy("rides (riders, lift)", "a.gz", "CSV GZIP IGNOREHEADER 1")
    assert lab.rows("SELECT riders, lift FROM rides") == [(1, 'a,"b'), (2, "c\nd")]


@guide
def test_a_manifest_names_the_files(lab):
    for name in "abc":
        lab.put(name, f"{name}|1|1|2023-04-01 10:00:00|t\n")
    entries = [{"url": "s3://files/a", "mandatory": True}, {"url": "s3://files/c"}, {"url": "s3://files/gone"}]
    lab.put("manifest", json.dumps({"entries": entries}))
    lab.copy("rides", "manifest", "MANIFEST")
    assert lab.rows("SELECT lift FROM rides ORDER BY 1") == [("a",), ("c",)]
    entries[2]["mandatory"] = True
    lab.put("manifest", json.dumps({"entries": entries}))
    error = "ERROR: S3ServiceException:The specified key does not exist.,Status 404,Error NoSuchKey"
    assert lab.copy("rides", "manifest", "MANIFEST")["Error"] == error
    lab.put("manifest", "no manifest")
    assert lab.copy("rides", "manifest", "MANIFEST")["Error"] == "ERROR: Manifest file is not in correct json format"


GOOD = {"lift": "a", "riders": 1, "price": 1, "seen": "2023-04-01 10:00:00", "full_up": True}
BROKEN = [
    (reported, {"riders": "x"}, "riders", 1207, "Invalid digit, Value 'x', Pos 0, Type: Integer"),
    (ours, {"riders": "9" * 5000}, "riders", 1216, f"Overflow for integer, Value '{'9' * 5000}'"),
    (ours, {"riders": "٣"}, "riders", 1207, "Invalid digit, Value '٣', Pos 0, Type: Integer"),
    (ours, {"price": "1_0"}, "price", 1207, "Invalid digit, Value '_', Pos 1, Type: Decimal"),
    (ours, {"lift": "\ud800"}, "lift", 1220,
     "String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence: eda080 (error 3)"),
    (reported, {"riders": 1.5}, "riders", 1207, "Invalid digit, Value '.', Pos 1, Type: Integer"),
    (ours, {"riders": 2**31}, "riders", 1216, "Overflow for integer, Value '2147483648'"),
    (reported, {"price": "1,5"}, "price", 1207, "Invalid digit, Value ',', Pos 1, Type: Decimal"),
    (ours, {"price": 1000}, "price", 1209, "Overflow for NUMERIC(5,2)"),
    (guide, {"lift": "ääää"}, "lift", 1204, "String length exceeds DDL length"),
    (guide, {"lift": None}, "lift", 1213, "Missing data for not-null field"),
    (guide, {"seen": "2023-04-01T10:00:00Z"}, "seen", 1206,
     "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]"),
    (guide, {"full_up": "perhaps"}, "full_up", 1210, "Unknown boolean format"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "column", "code", "reason"),
    [pytest.param(*case, marks=mark, id=case[3]) for mark, *case in BROKEN],
)
def test_a_record_that_does_not_fit_is_told_and_nothing_is_loaded(lab, change, column, code, reason):
    lab.put("a", "\n".join(json.dumps(GOOD | each) for each in ({}, change, {})))
    assert lab.copy("rides", "a", "JSON 'auto'")["Error"] == FAILED
    found = lab.load_errors("filename", "line_number", "colname", "err_code", "err_reason", "query > 0")
    assert found == [("s3://files/a", 2, column, code, reason, True)]
    assert lab.rows("SELECT * FROM rides") == []


@guide
@pytest.mark.parametrize(
    ("line", "options", "code", "reason"),
    [
        ("a|1|1", "", 1214, "Delimiter not found"),
        ("a|1|1|||x", "", 1202, "Extra column(s) found"),
        ('a,"1', "CSV", 1214, "Invalid quote formatting for CSV"),
        ('{"lift": ', "JSON 'auto'", 1216, "Invalid JSON object"),
    ],
)
def test_a_line_that_is_no_record(lab, line, options, code, reason):
    lab.put("a", line + "\n")
    assert lab.copy("rides", "a", options)["Error"] == FAILED
    assert lab.load_errors("err_code", "err_reason", "raw_line") == [(code, reason, line.rstrip())]


@reported
def test_a_byte_that_is_no_utf8(lab):
    lab.put("a", b"\xe4b|1|1||t\n")
    assert lab.copy("rides", "a")["Error"] == FAILED
    text = "String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence: e4 (error 3)"
    assert lab.load_errors("err_code", "err_reason") == [(1220, text)]


@guide
def test_maxerror_lets_some_go_and_load_errors_stay(lab):
    lab.put("a", "".join(f"a|{n}|1||t\n" for n in ("1", "x", "2", "y", "3")))
    assert lab.copy("rides", "a", "MAXERROR 2")["Error"] == FAILED
    assert lab.rows("SELECT riders FROM rides") == []
    assert lab.copy("rides", "a", "MAXERROR 3")["Status"] == "FINISHED"
    assert lab.rows("SELECT riders FROM rides") == [(1,), (2,), (3,)]
    assert lab.load_errors("line_number") == [(2,), (4,), (2,), (4,)]


@guide
def test_options_that_make_data_fit(lab):
    lab.put("a", [GOOD | {"lift": "abcdefgh", "seen": "2023-04-01T10:00:00"}])
    lab.copy("rides", "a", "JSON 'auto' TRUNCATECOLUMNS TIMEFORMAT 'auto'")
    lab.put("b", "b|1")
    lab.copy("rides", "b", "FILLRECORD")
    assert lab.rows("SELECT lift, seen FROM rides") == [("abcde", "2023-04-01 10:00:00"), ("b", None)]


@guide
def test_a_copy_takes_the_time_of_its_bytes(lab):
    lab.put("a", "a|1|1||t\n" * 40_000)
    done = lab.copy("rides", "a")
    assert done["Duration"] == round((2 + 360_000 / 20e6) * 1e9)
    (row,) = lab.cloud.trace.where(kind="RowsLoaded")
    assert (row.resource, row.detail) == ("lab/dev/rides", [40_000, 1, 360_000])


@guide
def test_a_role_that_may_not_read(lab):
    lab.put("a", "a|1|1||t\n")
    lab.cloud.client("iam").detach_role_policy(
        RoleName="loader", PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    )
    assert lab.copy("rides", "a")["Error"].endswith("Status 403,Error AccessDenied")
    lab.cloud.client("iam").delete_role(RoleName="loader")
    assert f"is not authorized to assume IAM Role {ROLE}" in lab.copy("rides", "a")["Error"]


@guide
def test_a_caller_in_the_role_reads_as_himself(lab):
    """As Firehose does: its role is none of the cluster's."""
    trust = {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole"}
    iam = lab.cloud.client("iam")
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="other", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(RoleName="other", PolicyName="all", PolicyDocument=json.dumps(everything))
    lab.put("a", "a|1|1||t\n")
    assert lab.copy("rides", "a", role=role)["Status"] == "FAILED"
    lab.data = lab.cloud.client("redshift-data", role="other")
    assert lab.copy("rides", "a", role=role)["Status"] == "FINISHED"


@guide
def test_a_denied_bucket_is_told(lab):
    lab.put("a", "a|1|1||t\n")
    denial = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::files/*"}
    lab.s3.put_bucket_policy(Bucket="files", Policy=json.dumps({"Version": "2012-10-17", "Statement": [denial]}))
    assert lab.copy("rides", "a")["Error"].endswith("Status 403,Error AccessDenied")


@ours
@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=4),
            st.integers(-(2**31), 2**31 - 1),
        )
    )
)
def test_what_is_written_as_json_is_read_back(rows):
    lab = Lab()
    lab.run("CREATE TABLE t (s VARCHAR(20), n INT)")
    lab.put("a", [{"s": text, "n": number} for text, number in rows] or "")
    assert lab.copy("t", "a", "JSON 'auto'")["ResultRows"] == len(rows)
    assert lab.rows("SELECT s, n FROM t") == rows
    assert ROLE in lab.data.list_statements()["Statements"][1]["QueryString"]


@ours
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ("DELIMITER ''", "COPY delimiter must be a single ASCII character, or several for text"),
        ("DELIMITER '\n'", "COPY delimiter must be a single ASCII character, or several for text"),
        ("CSV DELIMITER 'ab'", "COPY delimiter must be a single ASCII character, or several for text"),
        ("CSV DELIMITER '☃'", "COPY delimiter must be a single ASCII character, or several for text"),
        ("CSV QUOTE ''", "COPY quote must be a single ASCII character"),
        ("CSV QUOTE 'ab'", "COPY quote must be a single ASCII character"),
    ],
)
def test_an_option_that_cannot_be(lab, options, error):
    lab.put("a", "a|1|1|2023-04-01 10:00:00|t\n")
    assert lab.copy("rides", "a", options)["Error"] == f"ERROR: {error}"


@guide
def test_a_delimiter_may_be_several_characters_of_text(lab):
    """Developer guide, "DELIMITER": "or multiple characters such as |~|"."""
    lab.put("a", "a|~|1|~|1|~|2023-04-01 10:00:00|~|t\n")
    assert lab.copy("rides", "a", "DELIMITER '|~|'")["Status"] == "FINISHED"


@guide
@pytest.mark.parametrize("options", ["", "CSV DELIMITER '|'", "JSON 'auto'"])
@pytest.mark.parametrize("odd", ["\x0b", "\x1c", "\x85", "\u2028"])
def test_only_line_feed_and_carriage_return_end_a_line(lab, odd, options):
    line = f"{odd}|1|1|2023-04-01 10:00:00|t"
    if "JSON" in options:
        line = json.dumps(GOOD | {"lift": odd}, ensure_ascii=False)
    lab.put("a", f"{line}\n{line}\n".encode())
    assert lab.copy("rides", "a", options)["Status"] == "FINISHED"
    assert lab.rows("SELECT lift FROM rides") == [(odd,), (odd,)]


@ours
@pytest.mark.parametrize("value", ["1e9999999", "NaN", "sNaN", "Infinity", "-1e13", "٣ "])
def test_seconds_that_are_no_moment(lab, value):
    lab.put("a", f"a|1|1|{value}|t\n")
    assert lab.copy("rides", "a", "TIMEFORMAT 'epochsecs'")["Error"] == FAILED
    assert lab.load_errors("err_code") == [(1206,)]


@ours
def test_records_that_were_glued_together_have_the_numbers_of_their_lines(lab):
    broken = json.dumps(GOOD | {"riders": "x"})
    lab.put("a", "\n".join([json.dumps(GOOD) * 2, "", json.dumps(GOOD, indent=1), broken]))
    lab.copy("rides", "a", "JSON 'auto'")
    assert lab.load_errors("line_number") == [(json.dumps(GOOD, indent=1).count("\n") + 4,)]


FROM = f"FROM 's3://files/a' IAM_ROLE '{ROLE}'"


@ours
@pytest.mark.parametrize(
    "sql",
    [
        f"COPY 1 {FROM}",
        f"COPY rides (lift riders) {FROM}",
        f"COPY rides (lift, 2) {FROM}",
        "COPY rides 's3://files/a'",
        f"COPY rides FROM files IAM_ROLE '{ROLE}'",
        f"COPY rides {FROM} MAXERROR AS many",
        f"COPY rides {FROM} DELIMITER ;",
        f"COPY rides {FROM} 'of what?'",
        f"COPY rides {FROM} NULL AS 'x",
    ],
)
def test_what_is_no_copy_is_a_syntax_error(lab, sql):
    lab.put("a", "a|1|1|2023-04-01 10:00:00|t\n")
    assert lab.error(sql).startswith("ERROR: syntax error at or near ")
    assert lab.rows("SELECT count(*) FROM rides") == [(0,)]


@guide
def test_what_makes_no_difference_here_is_read_over(lab):
    """Database developer guide, "COPY": compression analysis and statistics; the schema may be named."""
    lab.put("a", "a|1|1|2023-04-01 10:00:00|t\n")
    done = lab.run(f"COPY public.rides {FROM} COMPUPDATE OFF STATUPDATE AS ON REGION AS 'us-east-1'")
    assert done["Status"] == "FINISHED", done
    assert lab.rows("SELECT lift FROM rides") == [("a",)]


@ours
def test_a_source_that_is_not_simulated_is_said(lab):
    with pytest.raises(NotSimulated, match="COPY from 'dynamodb://rides' is not simulated"):
        lab.start(f"COPY rides FROM 'dynamodb://rides' IAM_ROLE '{ROLE}'")
