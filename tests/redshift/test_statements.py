"""SQL through the Data API: real SQL, in virtual time, one transaction a statement."""

import time

import pytest
from aws_errors import case, code_and_message, guide, ours, reported
from redshift.conftest import ROLE, Lab

from lablib.aws.service import NotSimulated


@guide
def test_a_table_is_made_filled_and_asked(lab):
    lab.run("CREATE TABLE rides (lift VARCHAR(10) DISTKEY, riders INT) DISTSTYLE KEY SORTKEY (lift)")
    done = lab.run("INSERT INTO rides VALUES ('north', 3), ('south', 5), ('north', 4)")
    assert (done["ResultRows"], done["HasResultSet"]) == (3, False)
    assert lab.rows("SELECT lift, sum(riders) AS n FROM rides GROUP BY lift ORDER BY lift") == [
        ("north", 7), ("south", 5),
    ]  # fmt: skip


@guide
def test_a_statement_takes_time_and_is_seen_by_others_only_when_it_is_finished(lab):
    lab.run("CREATE TABLE t (a INT)")
    writing = lab.start("INSERT INTO t VALUES (1)")
    assert lab.data.describe_statement(Id=writing)["Status"] == "SUBMITTED"
    lab.cloud.advance(0.2)
    assert lab.data.describe_statement(Id=writing)["Status"] == "STARTED"
    seen_meanwhile = lab.start("SELECT count(*) FROM t")
    lab.finish(writing)
    lab.finish(seen_meanwhile)
    assert lab.data.get_statement_result(Id=seen_meanwhile)["Records"] == [[{"longValue": 0}]]
    assert lab.rows("SELECT count(*) FROM t") == [(1,)]


@guide
def test_a_batch_is_one_transaction(lab):
    lab.run("CREATE TABLE t (a INT)")
    where = {"ClusterIdentifier": "lab", "Database": "dev", "DbUser": "admin"}
    sqls = ["INSERT INTO t VALUES (1)", "INSERT INTO nothing VALUES (2)", "INSERT INTO t VALUES (3)"]
    failed = lab.finish(lab.data.batch_execute_statement(Sqls=sqls, **where)["Id"])
    assert failed["Error"] == 'Query #2 failed with ERROR: relation "nothing" does not exist'
    assert [part["Status"] for part in failed["SubStatements"]] == ["ABORTED", "FAILED", "ABORTED"]
    assert lab.rows("SELECT * FROM t") == []
    done = lab.finish(lab.data.batch_execute_statement(Sqls=[sqls[0], "SELECT a FROM t"], **where)["Id"])
    assert lab.data.get_statement_result(Id=done["SubStatements"][1]["Id"])["Records"] == [[{"longValue": 1}]]


@guide
def test_named_parameters_are_not_looked_for_in_texts(lab):
    rows = lab.rows("SELECT ':a', :a::INT + 1, 'x'::VARCHAR", Parameters=[{"name": "a", "value": "41"}])
    assert rows == [(":a", 42, "x")]


@guide
def test_each_type_has_its_field(lab):
    sql = (
        "SELECT 1, 1.5::FLOAT8, 1.50::DECIMAL(5,2), true, NULL, 'x', DATE '2023-04-01', TIMESTAMP '2023-04-01 10:00:00'"
    )
    assert lab.rows(sql) == [(1, 1.5, "1.50", True, None, "x", "2023-04-01", "2023-04-01 10:00:00")]
    result = lab.data.get_statement_result(Id=lab.run(sql)["Id"])
    kinds = [column["typeName"] for column in result["ColumnMetadata"]]
    assert kinds == ["int4", "float8", "numeric", "bool", "varchar", "varchar", "date", "timestamp"]


@guide
def test_results_come_in_pages():
    lab = Lab(result_page=10)
    assert lab.rows("SELECT n FROM generate_series(1, 25) AS t(n)") == [(n,) for n in range(1, 26)]


@guide
def test_a_call_can_wait_for_the_end():
    lab = Lab(limits="today")
    before = lab.cloud.now
    done = lab.data.execute_statement(
        Sql="SELECT 1", ClusterIdentifier="lab", Database="dev", DbUser="admin", WaitTimeSeconds=30
    )
    assert done["Status"] == "FINISHED"
    assert lab.cloud.now - before < 2


@guide
def test_a_cancelled_statement_leaves_nothing(lab):
    lab.run("CREATE TABLE t (a INT)")
    id = lab.start("INSERT INTO t VALUES (1)")
    lab.cloud.advance(0.2)
    assert lab.data.cancel_statement(Id=id)["Status"] is True
    assert lab.finish(id)["Status"] == "ABORTED"
    assert lab.rows("SELECT * FROM t") == []


@reported
def test_two_that_change_the_same_row_conflict(lab):
    lab.run("CREATE TABLE t (a INT, b INT)")
    lab.run("INSERT INTO t VALUES (1, 0)")
    ids = [lab.start(f"UPDATE t SET b = {n} WHERE a = 1") for n in (1, 2)]
    assert sorted(lab.finish(id)["Status"] for id in ids) == ["FAILED", "FINISHED"]


@guide
@pytest.mark.parametrize(
    "columns",
    ["a INT PRIMARY KEY, b INT", "a INT, b INT, PRIMARY KEY (a)", "a INT UNIQUE, b INT, CONSTRAINT u UNIQUE (a, b)",
     "a INT REFERENCES x (a), b INT, FOREIGN KEY (b) REFERENCES x (b)"],
)  # fmt: skip
def test_keys_are_not_enforced(lab, columns):
    lab.run(f"CREATE TABLE t ({columns})")
    lab.run("INSERT INTO t VALUES (1, 2), (1, 2)")
    assert lab.rows("SELECT * FROM t") == [(1, 2), (1, 2)]


@ours
def test_comments_are_read_over(lab):
    lab.run("/* COPY */ CREATE TABLE t (a INT) -- DISTKEY")
    lab.put("a", "1\n")
    assert lab.run(f"-- load\nCOPY t FROM 's3://files/a' /* all */ IAM_ROLE '{ROLE}'")["Status"] == "FINISHED"
    assert lab.rows("SELECT a, '-- x' FROM t /* end */") == [(1, "-- x")]


@ours
def test_time_and_chance_are_the_clouds(lab):
    sql = "SELECT now(), getdate(), current_timestamp, SYSDATE, current_date, random(), uuid()"
    (first,) = lab.rows(sql)
    assert {moment[:16] for moment in first[:4]} == {"2023-04-01 00:03"}
    assert first[4] == "2023-04-01"
    again = Lab()
    assert again.rows(sql) == [first]
    assert again.rows(sql) != [first]


@ours
def test_the_machines_time_zone_is_not_seen(monkeypatch):
    sql = (
        "SELECT '2023-04-01 10:00:00+09'::TIMESTAMPTZ, '2023-04-01 10:00:00+09'::TIMESTAMPTZ::VARCHAR, to_timestamp(0)"
    )
    try:
        monkeypatch.setenv("TZ", "Asia/Seoul")
        time.tzset()
        rows = Lab().rows(sql)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert rows == [("2023-04-01 01:00:00+00:00", "2023-04-01 01:00:00+00", "1970-01-01 00:00:00+00:00")]


@ours
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM 'https://example.com/x.parquet'",
        "SELECT * FROM '/etc/passwd'",
        "ATTACH '/tmp/other.db'",
        "INSTALL httpfs",
        "COPY (SELECT 1) TO '/tmp/out.csv'",
        "EXPORT DATABASE '/tmp/out'",
        "PRAGMA enable_external_access",
        "SET enable_external_access = true",
        "CREATE MACRO now() AS 1",
        "CREATE SECRET s (TYPE s3)",
    ],
)
def test_neither_disk_nor_network_nor_settings_are_reached(lab, sql):
    try:
        told = lab.error(sql)
    except NotSimulated as refusal:
        told = f"ERROR: {refusal}"
    assert told.startswith("ERROR: ")
    assert "\n" not in told


@ours
@pytest.mark.parametrize(
    "word",
    ["duckdb_settings()", "pragma_version()", "version()", 'system.main.now()', '"system".main.now()', "sleep_ms(1)",
     "setseed(0.5)", "uuidv7()", "current_setting('memory_limit')", "txid_current()"],
)  # fmt: skip
def test_what_tells_of_the_computer_is_refused_in_one_line(lab, word):
    with pytest.raises(NotSimulated, match=r"is not simulated: it would tell of the computer") as refusal:
        lab.start(f"SELECT {word}")
    assert "\n" not in str(refusal.value)
    assert lab.rows(f"SELECT '{word.replace(chr(39), chr(39) * 2)}'"), "within a text it is only a text"


@ours
@pytest.mark.parametrize(
    "sql",
    ["SELECT 1 AS \"'\", version(), 2 AS \"'\"", "SELECT E'\\'', version(), E'\\''", "SELECT $$'$$, version(), $$'$$",
     "SELECT $a$'$a$, version(), $a$'$a$", "SELECT 1 -- '\r, version() -- '",
     "SELECT 1 AS é$$, '$$ ', version(), ' $$ '",
     "SELECT /* /* */ ' */ version() /* ' */"],
)  # fmt: skip
def test_what_is_refused_cannot_be_hidden_between_what_only_looks_like_quotes(lab, sql):
    with pytest.raises(NotSimulated, match=r"version is not simulated|comment within a comment"):
        lab.start(sql)


@ours
def test_texts_of_all_forms_stay_as_they_are(lab):
    """Redshift: a text in quotes. E'...' and $$...$$ are PostgreSQL's, from which Redshift comes."""
    sql = "SELECT 'SYSDATE :a', $$it's :a$$, 'two  spaces', '{source}', '', ':a'"
    assert lab.rows(sql) == [("SYSDATE :a", "it's :a", "two  spaces", "{source}", "", ":a")]
    lab.run("CREATE TABLE d (s VARCHAR(20) DEFAULT 'SUPER DISTKEY')")
    lab.run("INSERT INTO d DEFAULT VALUES")
    assert lab.rows("SELECT s FROM d") == [("SUPER DISTKEY",)]


ENDLESS = [
    "SELECT COUNT(*) FROM range(1000000000000) a(i) WHERE i * i % 7 = 3",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT COUNT(*) FROM t",
]


@ours
def test_numbers_of_many_digits_are_no_numbers(lab):
    many = "9" * 5000
    id = lab.run("SELECT 1")["Id"]
    for params, code in (({"NextToken": many}, "ValidationException"), ({"Id": f"{id}:{many}"}, "Resource.*")):
        with pytest.raises(lab.data.exceptions.ClientError, match=code):
            lab.data.get_statement_result(**{"Id": id, **params})
    assert lab.run(f"CREATE TABLE many (s VARCHAR({many}))")["Status"] == "FAILED"


@ours
@pytest.mark.parametrize("sql", ENDLESS)
def test_a_statement_that_does_not_end_is_ended_and_the_cluster_goes_on(lab, sql, monkeypatch):
    monkeypatch.setattr("lablib.aws.sql.LONGEST", 0.2)
    assert lab.error(sql) == "ERROR: this lab ends a statement that keeps the computer busy for 0.2 seconds"
    assert lab.rows("SELECT 1") == [(1,)]


@guide
@pytest.mark.parametrize("call", ["repeat('x', 2000000000)", "rpad('x', 2000000000, 'y')", "lpad('x', 65536)"])
def test_a_text_is_no_longer_than_a_varchar_and_no_memory_is_asked_for(lab, call):
    """Database developer guide, "Character types": 65,535 bytes. DuckDB takes 8 GB for it, and hears no interrupt."""
    function = call.partition("(")[0]
    assert lab.error(f"SELECT {call}") == f"ERROR: {function}: more than the 65,535 bytes of a VARCHAR(MAX)"
    assert lab.rows("SELECT len(repeat('x', 65535)), lpad('x', 2), rpad('x', 3, 'ab')") == [(65535, " x", "xab")]


@ours
@pytest.mark.parametrize("call", ["range(1000000000)", "list_resize([1], 3000000000)", "bar(1, 0, 10, 1000000000)"])
def test_functions_of_duckdb_that_make_much_of_nothing_are_not_there(lab, call):
    assert lab.error(f"SELECT {call}") == f"ERROR: function {call.partition('(')[0]} does not exist in this lab"


@guide
def test_a_result_has_a_limit(lab, monkeypatch):
    """Management guide (2023), "Considerations when using the Data API": 100 MB."""
    monkeypatch.setattr("lablib.aws.sql.LARGEST", 1_000_000)
    assert lab.error("SELECT * FROM range(300000000)") == "ERROR: the result is larger than 1,000,000 bytes"
    assert lab.rows("SELECT 1") == [(1,)]


@ours
@pytest.mark.parametrize(
    "sql",
    ["UNLOAD ('SELECT 1') TO 's3://x/y'", "VACUUM", "GRANT SELECT ON t TO u", "CREATE EXTERNAL TABLE t (a INT)",
     "CREATE USER u", "CREATE TEMP MACRO now() AS 1", "EXPLAIN SELECT 1", "BEGIN",
     "CREATE TABLE t (a INT IDENTITY(1,1))",
     "COPY t FROM 'dynamodb://x' IAM_ROLE 'r'", "COPY t FROM 's3://x/y' IAM_ROLE 'r' PARQUET",
     "COPY t FROM 's3://x/y' IAM_ROLE 'r' JSON 's3://x/paths.json'"],
)  # fmt: skip
def test_what_redshift_has_and_the_lab_has_not_is_said_in_one_line(lab, sql):
    with pytest.raises(NotSimulated, match=r"^redshift: .* (is|are) not simulated") as refusal:
        lab.start(sql)
    assert "\n" not in str(refusal.value)


SQL_ERRORS = [
    (reported, "selec 1", 'ERROR: syntax error at or near "selec"'),
    (reported, "SELECT * FROM nothing", 'ERROR: relation "nothing" does not exist'),
    (reported, "SELECT b FROM t", 'ERROR: column "b" does not exist'),
    (reported, "INSERT INTO t VALUES (1, 'abcd')", "ERROR: value too long for type character varying(3)"),
    (reported, "INSERT INTO t VALUES (1, 'ää')", "ERROR: value too long for type character varying(3)"),
    (ours, "INSERT INTO t VALUES (NULL, 'a')", "ERROR: NOT NULL constraint failed: t.a"),
    (ours, "SELECT dateadd(1)", "ERROR: function dateadd does not exist in this lab"),
    (ours, "SELECT 'x'::INT", "ERROR: Could not convert string 'x' to INT32"),
    (ours, "SELECT 1; SELECT 2", "ERROR: cannot insert multiple commands into a prepared statement"),
    (reported, "COPY nothing FROM 's3://files/a' IAM_ROLE 'r'", "ERROR: Cannot COPY into nonexistent table nothing"),
    (ours, "COPY t FROM 's3://files/a'", "ERROR: no credentials: CREDENTIALS or IAM_ROLE must be given"),
    (ours, "COPY t 's3://files/a' IAM_ROLE 'r'", "ERROR: syntax error at or near \"'s3://files/a'\""),
    (reported, "COPY t FROM 's3://files/none' IAM_ROLE 'r'",
     "ERROR: User arn:aws:redshift:us-east-1:123456789012:dbuser:lab/admin is not authorized to assume IAM Role r"),
    (reported, f"COPY t FROM 's3://files/none' IAM_ROLE '{ROLE}'",
     "ERROR: The specified S3 prefix 'none' does not exist"),
    (reported, f"COPY t FROM 's3://none/a' IAM_ROLE '{ROLE}'",
     "ERROR: S3ServiceException:The specified bucket does not exist,Status 404,Error NoSuchBucket"),
]  # fmt: skip


@pytest.fixture(scope="module")
def tables():
    lab = Lab()
    lab.run("CREATE TABLE t (a INT NOT NULL, s VARCHAR(3))")
    return lab


@pytest.mark.parametrize(
    ("sql", "error"), [pytest.param(sql, error, marks=mark, id=sql) for mark, sql, error in SQL_ERRORS]
)
def test_wrong_sql_is_a_failed_statement_with_its_error(tables, sql, error):
    assert tables.error(sql) == error
    assert tables.rows("SELECT * FROM t") == []


UNKNOWN = "00000000-0000-0000-0000-000000000000"
WHERE = {"ClusterIdentifier": "lab", "Database": "dev", "DbUser": "admin"}
NEW = {"NodeType": "ra3.xlplus", "MasterUsername": "admin", "MasterUserPassword": "Secret123"}
REFUSALS = [
    case(reported, "execute_statement", {"Sql": "SELECT 1", **WHERE, "ClusterIdentifier": "none"},
     "ValidationException", "Redshift endpoint doesn't exist in this region."),
    case(ours, "execute_statement", {"Sql": "SELECT 1", "ClusterIdentifier": "lab"}, "ValidationException",
     "Database is required."),
    case(ours, "execute_statement", {"Sql": "SELECT 1", "Database": "dev"}, "ValidationException",
     "ClusterIdentifier or WorkgroupName is required."),
    case(reported, "execute_statement",
     {"Sql": "SELECT 1", **WHERE, "Parameters": [{"name": "x", "value": "1"}]}, "ValidationException",
     "Parameters list contains unused parameters. Unused parameters: ['x']"),
    case(ours, "execute_statement", {"Sql": "SELECT '" + "x" * 100_000 + "'", **WHERE}, "ValidationException",
     "SQL statement is too long. The limit is 100000 bytes."),
    case(reported, "describe_statement", {"Id": UNKNOWN}, "ResourceNotFoundException", "Query does not exist."),
    case(reported, "describe_statement", {"Id": "x"}, "ValidationException",
     r"id must satisfy regex pattern: ^[a-z0-9]{8}(-[a-z0-9]{4}){3}-[a-z0-9]{12}(:\d+)?$"),
    case(ours, "batch_execute_statement", {"Sqls": ["SELECT 1"] * 41, **WHERE}, "ValidationException",
     "The number of SQL statements must be from 1 to 40."),
    case(reported, "create_cluster", {"ClusterIdentifier": "lab", **NEW}, "ClusterAlreadyExists",
     "Cluster already exists"),
    case(ours, "create_cluster", {"ClusterIdentifier": "new", **NEW, "NodeType": "t3.micro"},
     "InvalidParameterValue", "Invalid node type: t3.micro"),
    case(ours, "create_cluster", {"ClusterIdentifier": "new", **NEW, "NumberOfNodes": 201},
     "InvalidParameterValue", "Invalid number of nodes: 201"),
    case(ours, "create_cluster", {"ClusterIdentifier": "new", **NEW, "ClusterType": "huge"},
     "InvalidParameterValue", "Invalid cluster type: huge"),
    case(ours, "create_cluster",
     {"ClusterIdentifier": "new", **NEW, "ClusterType": "single-node", "NumberOfNodes": 2},
     "InvalidParameterCombination", "Number of nodes for cluster type single-node must be 1"),
    case(ours, "create_cluster", {"ClusterIdentifier": "new", **NEW, "ClusterType": "multi-node"},
     "InvalidParameterCombination",
     "Number of nodes for cluster type multi-node must be greater than or equal to 2"),
    case(ours, "create_cluster", {"ClusterIdentifier": "new", **NEW, "DBName": "Big Data"},
     "InvalidParameterValue",
     "The parameter DBName must contain 1 to 64 lowercase letters, digits or underscores."),
    *(
        case(guide, "create_cluster", {"ClusterIdentifier": name, **NEW}, "InvalidParameterValue",
         "The parameter ClusterIdentifier is not a valid identifier. Identifiers must begin with a letter; must "
         "contain only lowercase ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two "
         "consecutive hyphens.")
        for name in ("1st", "a--b", "a-", "x" * 64)
    ),
    *(
        case(guide, "create_cluster", {"ClusterIdentifier": "new", **NEW, "MasterUserPassword": password},
         "InvalidParameterValue",
         "The parameter MasterUserPassword must have 8 to 64 characters, among them an uppercase letter, a "
         "lowercase letter and a digit, and none of / @ \" ' \\ or a space.")
        for password in ("Secret1", "secret123", "Secret/123")
    ),
    case(guide, "create_cluster", {"ClusterIdentifier": "new", **NEW, "ManageMasterPassword": True},
     "InvalidParameterCombination", "You can't specify MasterUserPassword when ManageMasterPassword is true."),
    case(ours, "execute_statement", {"Sql": "SELECT 1", **WHERE, "SecretArn": "arn:aws:secretsmanager:a:1:s"},
     "ValidationException", "Can not specify both SecretArn and DbUser for credentials."),
    case(guide, "create_cluster", {"ClusterIdentifier": "new", "NodeType": "ra3.xlplus", "MasterUsername": "a"},
     "MissingParameter", "The parameter MasterUserPassword must be provided"),
    case(reported, "describe_clusters", {"ClusterIdentifier": "none"}, "ClusterNotFound",
     "Cluster none not found.", 404),
    case(reported, "delete_cluster", {"ClusterIdentifier": "lab"}, "InvalidParameterCombination",
     "FinalClusterSnapshotIdentifier is required unless SkipFinalClusterSnapshot is specified."),
]  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_in_the_words_of_aws(tables, case):
    case.check(tables.data if case.operation.endswith("statement") else tables.redshift)


@guide
def test_a_managed_password_and_a_secret(lab):
    new = {"NodeType": "ra3.xlplus", "MasterUsername": "admin", "ManageMasterPassword": True}
    made = lab.redshift.create_cluster(ClusterIdentifier="two", ClusterType="multi-node", NumberOfNodes=2, **new)
    assert made["Cluster"]["NumberOfNodes"] == 2
    lab.redshift.get_waiter("cluster_available").wait(ClusterIdentifier="two")
    where = {"ClusterIdentifier": "two", "Database": "dev", "SecretArn": "arn:aws:secretsmanager:a:1:s"}
    answer = lab.data.execute_statement(Sql="SELECT 1", **where)
    assert answer["SecretArn"] == where["SecretArn"]
    assert "DbUser" not in answer


@guide
def test_a_cluster_that_goes_takes_what_runs_with_it(lab):
    """It cannot be deleted twice, and a statement that has not begun finds no database."""
    id = lab.start("SELECT 1")
    gone = {"ClusterIdentifier": "lab", "SkipFinalClusterSnapshot": True}
    lab.redshift.delete_cluster(**gone)
    assert code_and_message(lab.redshift.delete_cluster, **gone)[0] == "InvalidClusterState"
    assert lab.finish(id)["Status"] in ("FINISHED", "FAILED")
    lab.cloud.advance(3600)
    refusal = code_and_message(lab.data.execute_statement, Sql="SELECT 1", **WHERE)
    assert refusal == ("ValidationException", "Redshift endpoint doesn't exist in this region.")


@reported
def test_what_is_over_cannot_be_cancelled(lab):
    id = lab.start("SELECT 1")
    lab.finish(id)
    text = f"Could not cancel a query that is already in FINISHED state with ID: {id}"
    assert code_and_message(lab.data.cancel_statement, Id=id) == ("ValidationException", text)


@ours
def test_a_database_that_is_not_there(lab):
    assert lab.error("SELECT 1", Database="prod") == 'FATAL: database "prod" does not exist'


@reported
def test_a_result_that_is_not_there_yet_or_never(lab):
    for start, sql in ((lab.start, "SELECT 1"), (lab.run, "CREATE TABLE t (a INT)"), (lab.run, "selec 1")):
        id = start(sql)
        assert code_and_message(lab.data.get_statement_result, Id=id if isinstance(id, str) else id["Id"]) == (
            "ResourceNotFoundException",
            "Query does not have result. Please check query status with DescribeStatement.",
        )


@guide
def test_a_cluster_comes_and_goes(lab):
    lab.redshift.create_cluster(ClusterIdentifier="two", **NEW)
    assert lab.redshift.describe_clusters(ClusterIdentifier="two")["Clusters"][0]["ClusterStatus"] == "creating"
    lab.redshift.get_waiter("cluster_available").wait(ClusterIdentifier="two")
    names = [cluster["ClusterIdentifier"] for cluster in lab.redshift.describe_clusters()["Clusters"]]
    assert names == ["lab", "two"]
    lab.redshift.delete_cluster(ClusterIdentifier="two", SkipFinalClusterSnapshot=True)
    lab.redshift.get_waiter("cluster_deleted").wait(ClusterIdentifier="two")
    assert len(lab.redshift.describe_clusters()["Clusters"]) == 1


@ours
def test_a_statement_is_explained(lab):
    told = lab.cloud.explain(lab.run("selec 1")["Id"])
    assert "you sent 'selec 1' to lab/dev" in told
    assert 'could not do it: ERROR: syntax error at or near "selec"' in told
