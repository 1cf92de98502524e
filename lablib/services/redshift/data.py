"""The Redshift Data API: SQL statements that run in virtual time, and their results.

Sources: API reference (2019-12-20) as shipped in botocore; Redshift management guide, "Using the Amazon Redshift Data
API". A statement is a transaction: others see what it did when it is FINISHED. Assumed: how long a statement takes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from lablib.aws.arn import Arn
from lablib.aws.lists import page_of, whole_number
from lablib.aws.service import AnswerLost, Principal, Request, Service, ServiceError, Target, World, count_of
from lablib.aws.sql import Session, SqlError, set_aside
from lablib.kernel import Signal
from lablib.services.redshift.clusters import Cluster, clusters_of
from lablib.services.redshift.copying import Copy, LoadError
from lablib.services.redshift.tables import EVENTS
from lablib.services.redshift.warehouse import Outcome, Warehouse, check, manifest_entries

Document = dict[str, Any]
_ID = r"^[a-z0-9]{8}(-[a-z0-9]{4}){3}-[a-z0-9]{12}(:\d+)?$"
_OVER = ("FINISHED", "FAILED", "ABORTED")
_PARAMETER = re.compile(r"(?<![:\w]):([A-Za-z_]\w*)")


@dataclass(eq=False)
class Step:
    """One SQL text of a statement."""

    sql: str
    status: str = "SUBMITTED"
    outcome: Outcome = field(default_factory=Outcome)
    error: str = ""
    began: float = 0.0
    ended: float = 0.0


@dataclass(eq=False)
class Statement:
    """What ExecuteStatement or BatchExecuteStatement started: a transaction of one step, or of several."""

    id: str
    steps: list[Step]
    batch: bool
    cluster: Cluster
    database: str
    user: str
    name: str
    params: dict[str, str]
    created: float
    pid: int
    row: int
    principal: Principal | None
    done: Signal
    status: str = "SUBMITTED"
    error: str = ""
    updated: float = 0.0
    session: Session | None = None

    @property
    def place(self) -> str:
        """How the trace calls the database."""
        return f"{self.cluster.name}/{self.database}"


def _invalid(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)


class RedshiftData(Service):
    """The Data API in one region of one account."""

    name = "redshift-data"
    counts = {"GetStatementResult": count_of("Records")}
    events = EVENTS

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.clusters = clusters_of(world)
        self.statements: dict[str, Statement] = {}

    def target(self, operation: str, params: Document) -> Target:
        name = str(params.get("cluster_identifier") or "")
        statement = self.statements.get(str(params.get("id", "")).partition(":")[0])
        if statement:
            name = statement.cluster.name
        account, region = self.world.account, self.world.region
        arn = str(Arn("redshift", region, account, f"cluster:{name}")) if name and not statement else "*"
        return Target(name, account, (f"redshift-data:{operation}",), arn)

    # ---- executing ---------------------------------------------------------------------------------------------------

    def execute_statement(
        self,
        request: Request,
        *,
        sql: str,
        cluster_identifier: str | None = None,
        database: str | None = None,
        db_user: str | None = None,
        secret_arn: str | None = None,
        statement_name: str = "",
        parameters: list[dict[str, str]] | None = None,
        client_token: str | None = None,
        wait_time_seconds: int = 0,
    ) -> Document:
        """`secret_arn` and `client_token` make no difference here."""
        where = (cluster_identifier, database, db_user, secret_arn)
        return self._submit(request, [sql], where, statement_name, parameters, wait_time_seconds)

    def batch_execute_statement(
        self,
        request: Request,
        *,
        sqls: list[str],
        cluster_identifier: str | None = None,
        database: str | None = None,
        db_user: str | None = None,
        secret_arn: str | None = None,
        statement_name: str = "",
        parameters: list[dict[str, str]] | None = None,
        client_token: str | None = None,
        wait_time_seconds: int = 0,
    ) -> Document:
        most = self.world.quotas["redshift.batch"]
        if not 1 <= len(sqls) <= most:
            raise _invalid(f"The number of SQL statements must be from 1 to {most}.")
        where = (cluster_identifier, database, db_user, secret_arn)
        return self._submit(request, sqls, where, statement_name, parameters, wait_time_seconds, batch=True)

    def _submit(
        self,
        request: Request,
        sqls: list[str],
        where: tuple[str | None, ...],
        name: str,
        parameters: list[dict[str, str]] | None,
        wait: int,
        batch: bool = False,
    ) -> Document:
        cluster, database, user = self._place(*where)
        quotas, chance = self.world.quotas, self.world.chance
        if any(len(sql.encode()) > quotas["redshift.statement_size"] for sql in sqls):
            raise _invalid(f"SQL statement is too long. The limit is {quotas['redshift.statement_size']} bytes.")
        given = {one["name"]: one["value"] for one in parameters or ()}
        bound = [_bound(sql) for sql in sqls]
        if unused := sorted(set(given) - {name for _, names in bound for name in names}):
            raise _invalid(f"Parameters list contains unused parameters. Unused parameters: {unused}")
        for sql, _ in bound:
            check(sql)
        active = [s for s in self.statements.values() if s.cluster is cluster and s.status not in _OVER]
        if len(active) >= quotas["redshift.active_statements"]:
            raise ServiceError("ActiveStatementsExceededException", "Active statements exceeded the allowed quota.")
        new = Statement(
            chance.uuid("redshift/statements"), [Step(sql) for sql in sqls], batch, cluster, database, user, name,
            given, self.now, 1_073_750_000 + len(self.statements), -1, request.principal, Signal(self.world.kernel),
            updated=self.now,
        )  # fmt: skip
        self.statements[new.id] = new
        shown = " ".join(sqls[0].split())[:60]
        new.row = self.world.trace.add("StatementSubmitted", new.place, new.id, request.caller, request.row, shown)
        self.world.kernel.after(quotas["redshift.submit_time"], self._start, new)
        self._hold(new, wait)
        answer = {
            "Id": new.id,
            "ClusterIdentifier": cluster.name,
            "Database": database,
            "CreatedAt": self.date(self.now),
        }
        if where[3]:
            answer["SecretArn"] = where[3]
        elif user:
            answer["DbUser"] = user
        return answer | ({"Status": new.status} if wait else {})

    def _place(
        self, identifier: str | None, database: str | None, user: str | None, secret: str | None
    ) -> tuple[Cluster, str, str]:
        if identifier is None:
            raise _invalid("ClusterIdentifier or WorkgroupName is required.")
        if user and secret:
            raise _invalid("Can not specify both SecretArn and DbUser for credentials.")
        cluster = self.clusters.get(identifier)
        if cluster is None or cluster.status != "available":
            raise _invalid("Redshift endpoint doesn't exist in this region.")
        if not database:
            raise _invalid("Database is required.")
        return cluster, database, user or ("" if secret else "IAM:administrator")

    def _hold(self, statement: Statement, seconds: int) -> None:
        if seconds and statement.status not in _OVER:
            self.world.kernel.wait(statement.done, seconds)

    def _start(self, statement: Statement) -> None:
        if statement.status in _OVER:
            return
        statement.status = "STARTED"
        self._tell("StatementStarted", statement)
        cluster = statement.cluster
        if statement.database != cluster.database or self.clusters.get(cluster.name) is not cluster:
            self._failed(statement, f'FATAL: database "{statement.database}" does not exist')
            return
        if statement.database not in cluster.warehouses:
            chance = self.world.chance.stream(f"redshift/{statement.place}")
            told = partial(self._load_error, statement.place)
            cluster.warehouses[statement.database] = Warehouse(self._clock, chance, told)
        statement.session = cluster.warehouses[statement.database].begin()
        self._next(statement, 0)

    def _load_error(self, place: str, table: str, error: LoadError) -> None:
        about = [error.file, error.line, error.reason]
        self.world.trace.add("LoadFailed", f"{place}/{table}", "", place, -1, about)

    def _clock(self) -> datetime:
        return datetime.fromtimestamp(self.world.kernel.epoch + self.now, UTC)

    def _next(self, statement: Statement, number: int) -> None:
        """Execute the step with that number; its time passes after it."""
        if statement.status in _OVER or statement.session is None:
            return
        if number:
            before = statement.steps[number - 1]
            before.status, before.ended = "FINISHED", self.now
        quotas, warehouse = self.world.quotas, statement.cluster.warehouses[statement.database]
        try:
            if number == len(statement.steps):
                statement.session.commit()
                self._finished(statement)
                return
            step = statement.steps[number]
            step.status, step.began = "STARTED", self.now
            sql, names = _bound(step.sql)
            named = {name: statement.params[name] for name in names if name in statement.params}
            step.outcome = warehouse.execute(statement.session, sql, named, self._files(statement))
        except SqlError as error:
            text = f"ERROR: {error}"
            if number < len(statement.steps):
                statement.steps[number].status, statement.steps[number].error = "FAILED", text
            text = f"Query #{min(number + 1, len(statement.steps))} failed with {text}" if statement.batch else text
            self.world.kernel.after(quotas["redshift.statement_time"], self._failed, statement, text)
            return
        seconds = quotas["redshift.statement_time"]
        if step.outcome.copy:
            rate = quotas["redshift.copy_rate"] * statement.cluster.nodes
            seconds = quotas["redshift.copy_time"] + round(step.outcome.size / rate, 6)
        self.world.kernel.after(seconds, self._next, statement, number + 1)

    def _finished(self, statement: Statement) -> None:
        for step in statement.steps:
            if step.outcome.copy:
                place = f"{statement.place}/{step.outcome.copy.table}"
                about = [step.outcome.affected, step.outcome.files, step.outcome.size]
                self.world.trace.add("RowsLoaded", place, "", statement.place, statement.row, about)
        self._over(statement, "FINISHED", "StatementFinished")

    def _failed(self, statement: Statement, error: str) -> None:
        if statement.status in _OVER:
            return
        statement.error = error
        self._over(statement, "FAILED", "StatementFailed", error)

    def _over(self, statement: Statement, status: str, kind: str, detail: str | None = None, actor: str = "") -> None:
        statement.status, statement.updated = status, self.now
        if status != "FINISHED":
            if statement.session:
                statement.session.rollback()
            for step in statement.steps:
                step.status = step.status if step.status == "FAILED" else "ABORTED"
        statement.session = None
        self._tell(kind, statement, detail, actor)
        statement.done.fire()

    def _tell(self, kind: str, statement: Statement, detail: str | None = None, actor: str = "") -> None:
        place = statement.place
        self.world.trace.add(kind, place, statement.id, actor or place, statement.row, detail)

    # ---- what COPY reads ---------------------------------------------------------------------------------------------

    def _files(self, statement: Statement) -> Callable[[Copy], list[tuple[str, bytes]]]:
        def read(copy: Copy) -> list[tuple[str, bytes]]:
            who = self._reader(statement, copy.role)
            if "MANIFEST" in copy.options:
                wanted = manifest_entries(self._get(statement, who, copy.source))
            else:
                wanted = [(url, True) for url in self._listed(statement, who, copy.source)]
            found = []
            for url, mandatory in wanted:
                try:
                    found.append((url, self._get(statement, who, url)))
                except _NoSuchKey:
                    if mandatory:
                        raise
            return found

        return read

    def _reader(self, statement: Statement, role: str) -> Principal:
        """In whose name S3 is read: as a role that the cluster has, or as the caller who is in that role already."""
        cluster, caller = statement.cluster, statement.principal
        if caller and caller.role == role:
            return caller
        role = cluster.roles[0] if role == "default" and cluster.roles else role
        session = self.world.gateway.assume(role, "redshift.amazonaws.com") if role in cluster.roles else None
        if session is None:
            user = f"dbuser:{cluster.name}/{statement.user}"
            who = Arn("redshift", self.world.region, self.world.account, user)
            raise SqlError(f"User {who} is not authorized to assume IAM Role {role}")
        return session

    def _s3(self, statement: Statement, who: Principal, operation: str, bucket: str, more: Document) -> Document:
        to = Arn("s3", self.world.region, self.world.account, bucket)
        caller, params = f"redshift/{statement.cluster.name}", {"bucket": bucket, **more}
        try:
            return self.world.gateway.call_service(
                to, operation, params, principal=who, caller=caller, cause=statement.row
            )
        except ServiceError as error:
            text = f"S3ServiceException:{error.message},Status {error.status},Error {error.code}"
            raise (_NoSuchKey if error.code == "NoSuchKey" else SqlError)(text) from None
        except AnswerLost:
            raise SqlError("S3 did not answer") from None

    def _get(self, statement: Statement, who: Principal, url: str) -> bytes:
        bucket, _, key = url.removeprefix("s3://").partition("/")
        content: bytes = self._s3(statement, who, "get_object", bucket, {"key": key})["Body"].read()
        return content

    def _listed(self, statement: Statement, who: Principal, url: str) -> list[str]:
        """All objects whose keys begin like that."""
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        found: list[str] = []
        more: Document = {"prefix": prefix}
        while True:
            answer = self._s3(statement, who, "list_objects_v2", bucket, more)
            found += [f"s3://{bucket}/{entry['Key']}" for entry in answer.get("Contents", ())]
            if "NextContinuationToken" not in answer:
                break
            more["continuation_token"] = answer["NextContinuationToken"]
        if not found:
            raise SqlError(f"The specified S3 prefix '{prefix}' does not exist")
        return found

    # ---- asking ------------------------------------------------------------------------------------------------------

    def _statement(self, id: str) -> Statement:
        if not re.fullmatch(_ID, id):
            raise _invalid(f"id must satisfy regex pattern: {_ID}")
        found = self.statements.get(id.partition(":")[0])
        kept = self.world.quotas["redshift.result_retention"] * 3600
        if found is None or self.now - found.created > kept:
            raise ServiceError("ResourceNotFoundException", "Query does not exist.")
        return found

    def describe_statement(self, request: Request, *, id: str, wait_time_seconds: int = 0) -> Document:
        statement = self._statement(id)
        self._hold(statement, wait_time_seconds)
        steps = statement.steps
        answer: Document = {
            "Id": statement.id,
            "ClusterIdentifier": statement.cluster.name,
            "Database": statement.database,
            "Status": statement.status,
            "CreatedAt": self.date(statement.created),
            "UpdatedAt": self.date(statement.updated),
            "Duration": round(sum(max(step.ended - step.began, 0) for step in steps) * 1e9),
            "RedshiftPid": statement.pid,
            "RedshiftQueryId": 0,
            "QueryString": steps[0].sql,
        } | (_counts(steps[0]) if not statement.batch else {"HasResultSet": any(_has_rows(step) for step in steps)})
        if statement.user:
            answer["DbUser"] = statement.user
        if statement.error:
            answer["Error"] = statement.error
        if statement.params:
            answer["QueryParameters"] = [{"name": n, "value": v} for n, v in statement.params.items()]
        if statement.batch:
            del answer["QueryString"]
            answer["SubStatements"] = [self._part(statement, n, step) for n, step in enumerate(steps, 1)]
        return answer

    def _part(self, statement: Statement, number: int, step: Step) -> Document:
        answer = {
            "Id": f"{statement.id}:{number}",
            "QueryString": step.sql,
            "Status": step.status,
            "CreatedAt": self.date(statement.created),
            "UpdatedAt": self.date(max(step.ended, statement.created)),
            "Duration": round(max(step.ended - step.began, 0) * 1e9),
        } | _counts(step)
        return answer | ({"Error": step.error} if step.error else {})

    def get_statement_result(
        self, request: Request, *, id: str, next_token: str | None = None, wait_time_seconds: int = 0
    ) -> Document:
        statement = self._statement(id)
        self._hold(statement, wait_time_seconds)
        number = whole_number(id.partition(":")[2] or "1")
        step = statement.steps[number - 1] if 1 <= number <= len(statement.steps) else Step("")
        if statement.status != "FINISHED" or step.outcome.rows is None or (statement.batch and ":" not in id):
            text = "Query does not have result. Please check query status with DescribeStatement."
            raise ServiceError("ResourceNotFoundException", text)
        rows, size = step.outcome.rows, int(self.world.quotas["redshift.result_page"])
        start = whole_number(next_token or "0") if next_token != "" else -1
        if start < 0:
            raise _invalid("Invalid NextToken.")
        answer: Document = {
            "Records": [[_field(value) for value in row] for row in rows[start : start + size]],
            "ColumnMetadata": [_column(name, kind) for name, kind in step.outcome.columns],
            "TotalNumRows": len(rows),
        }
        return answer | ({"NextToken": str(start + size)} if start + size < len(rows) else {})

    def list_statements(
        self,
        request: Request,
        *,
        next_token: str | None = None,
        max_results: int = 100,
        statement_name: str = "",
        status: str = "ALL",
    ) -> Document:
        """The newest first. By default AWS lists those that are FINISHED; here all, as with status ALL."""
        kept = self.world.quotas["redshift.result_retention"] * 3600
        listed = [
            s
            for s in self.statements.values()
            if self.now - s.created <= kept and s.name.startswith(statement_name) and status in ("ALL", s.status)
        ]
        numbers = {f"{10**9 - s.pid % 10**9:010d}": s for s in listed}
        page, more = page_of(numbers, next_token, max_results or 100, _invalid("Invalid NextToken."))
        return {"Statements": [self._summary(numbers[key]) for key in page]} | more

    def _summary(self, statement: Statement) -> Document:
        sqls = [step.sql for step in statement.steps]
        answer: Document = {
            "Id": statement.id,
            "Status": statement.status,
            "CreatedAt": self.date(statement.created),
            "UpdatedAt": self.date(statement.updated),
            "IsBatchStatement": statement.batch,
        } | ({"QueryStrings": sqls} if statement.batch else {"QueryString": sqls[0]})
        return answer | ({"StatementName": statement.name} if statement.name else {})

    def cancel_statement(self, request: Request, *, id: str) -> Document:
        statement = self._statement(id)
        if statement.status in _OVER:
            text = f"Could not cancel a query that is already in {statement.status} state with ID: {id}"
            raise _invalid(text)
        self._over(statement, "ABORTED", "StatementAborted", None, request.caller)
        return {"Status": True}


class _NoSuchKey(SqlError):
    """An object is not there."""


def _bound(sql: str) -> tuple[str, list[str]]:
    """The statement with its named parameters in DuckDB's spelling, and their names."""
    plain, texts_back = set_aside(sql)
    return texts_back(_PARAMETER.sub(r"$\1", plain)), _PARAMETER.findall(plain)


def _has_rows(step: Step) -> bool:
    return step.outcome.rows is not None and step.status == "FINISHED"


def _counts(step: Step) -> Document:
    done = step.status == "FINISHED"
    size = sum(len(str(value)) for row in step.outcome.rows or () for value in row) if done else 0
    return {
        "HasResultSet": _has_rows(step),
        "ResultRows": step.outcome.affected if done else -1,
        "ResultSize": size if done else -1,
    }


def _field(value: Any) -> Document:
    if value is None:
        return {"isNull": True}
    if isinstance(value, bool):
        return {"booleanValue": value}
    if isinstance(value, int):
        return {"longValue": value}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, bytes):
        return {"blobValue": value}
    return {"stringValue": str(value)}


def _column(name: str, kind: str) -> Document:
    return {"name": name, "label": name, "typeName": kind, "nullable": 1}
