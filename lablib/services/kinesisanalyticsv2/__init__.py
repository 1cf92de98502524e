"""Amazon Kinesis Data Analytics, today Amazon Managed Service for Apache Flink: applications that compute on streams.

Operations, parameters and constraints: API reference (2018-05-23) as shipped in botocore. A Flink application's job is
a Python function (`dataflow` has what it is made of, `runtime` runs it, `application` has its states), of which
`Cloud.job_code` makes the code that CreateApplication takes. Not simulated: Studio notebooks, VPCs, logging, rollbacks.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from lablib.aws.arn import Arn
from lablib.aws.constraints import Rule, check
from lablib.aws.lists import page_of
from lablib.aws.service import NotSimulated, Request, Service, ServiceError, Target, World, named
from lablib.services.kinesisanalyticsv2.application import Application, Job, Snapshot
from lablib.services.kinesisanalyticsv2.dataflow import seconds_of
from lablib.services.kinesisanalyticsv2.runtime import Checkpoint
from lablib.services.kinesisanalyticsv2.sqlapp import SqlApplication, check_inputs
from lablib.services.kinesisanalyticsv2.tables import EVENTS, QUOTAS

Document = dict[str, Any]
_NAME = Rule(1, 128, "[a-zA-Z0-9_.-]+")
_JOBS = "kinesisanalyticsv2/jobs"
_RESTORE = ("SKIP_RESTORE_FROM_SNAPSHOT", "RESTORE_FROM_LATEST_SNAPSHOT", "RESTORE_FROM_CUSTOM_SNAPSHOT")
_SQL_IS_GONE = (
    "Amazon Kinesis Data Analytics for SQL applications is discontinued: since October 15, 2025 no new SQL "
    "applications can be created. Use Amazon Managed Service for Apache Flink."
)


def _argument(message: str) -> ServiceError:
    return ServiceError("InvalidArgumentException", message)


def _in_use(message: str) -> ServiceError:
    return ServiceError("ResourceInUseException", message)


def _missing(message: str) -> ServiceError:
    return ServiceError("ResourceNotFoundException", message)


class KinesisAnalyticsV2(Service):
    """Kinesis Data Analytics (version 2 of its API) in one region of one account."""

    name = "kinesisanalyticsv2"
    throttle = ("ThrottlingException", "Rate exceeded")
    quotas = QUOTAS
    events = EVENTS

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.applications: dict[str, Application] = {}

    def arn(self, resource: str) -> str:
        """The service's name in ARNs and actions is "kinesisanalytics"."""
        return str(Arn("kinesisanalytics", self.world.region, self.world.account, resource))

    def target(self, operation: str, params: Document) -> Target:
        name = str(params.get("application_name") or "")
        arn = self.arn(f"application/{name}") if name else "*"
        return Target(
            name, self.world.account, (f"kinesisanalytics:{operation}",), arn, None, name in self.applications
        )

    def job_code(self, job: Job) -> Document:
        """The ApplicationCodeConfiguration that stands for a job function."""
        if not callable(job):
            raise TypeError(f"job={job!r}: must be a function job(env)")
        jobs = self.world.shared.setdefault(_JOBS, {})
        code = f"{getattr(job, '__name__', 'job')} {len(jobs) + 1}".encode()
        jobs[code] = job
        return {"CodeContentType": "ZIPFILE", "CodeContent": {"ZipFileContent": code}}

    def application(self, name: str) -> Application:
        """The application itself, to look into. Raises KeyError when there is none."""
        return named("application", name, self.applications)

    def _application(self, name: str) -> Application:
        if name not in self.applications:
            raise _missing(f"Application {self.arn(f'application/{name}')} not found.")
        return self.applications[name]

    # ---- creating ----------------------------------------------------------------------------------------------------

    def create_application(
        self,
        request: Request,
        *,
        application_name: str,
        runtime_environment: str,
        service_execution_role: str,
        application_configuration: Document | None = None,
        application_description: str = "",
        application_mode: str | None = None,
        tags: list[dict[str, str]] | None = None,
    ) -> Document:
        """`tags` make no difference here."""
        check("applicationName", application_name, _NAME)
        if application_name in self.applications:
            raise _in_use(f"Application {self.arn(f'application/{application_name}')} already exists.")
        if len(self.applications) >= self.world.quotas["kinesisanalyticsv2.applications"]:
            raise ServiceError("LimitExceededException", "Exceeded the number of applications.")
        if runtime_environment.startswith("ZEPPELIN") or application_mode == "INTERACTIVE":
            raise NotSimulated(
                "kinesisanalyticsv2: Studio notebooks (ZEPPELIN) are not simulated; there are FLINK, SQL-1_0"
            )
        is_sql = runtime_environment == "SQL-1_0"
        if is_sql and not self.world.quotas["kinesisanalyticsv2.sql"]:
            raise ServiceError("UnsupportedOperationException", _SQL_IS_GONE)
        if not is_sql and not re.fullmatch(r"FLINK-\d_\d+", runtime_environment):
            raise _argument(f"RuntimeEnvironment {runtime_environment} is not supported.")
        if self.world.gateway.assume(service_execution_role, "kinesisanalytics.amazonaws.com") is None:
            raise _argument(f"Kinesis Analytics cannot assume the role {service_execution_role}.")
        wanted = application_configuration or {}
        self._check_known(wanted)
        code = wanted.get("ApplicationCodeConfiguration", {})
        at = "applicationConfiguration.applicationCodeConfiguration.codeContent.textContent"
        longest = Rule(0, self.world.quotas["kinesisanalyticsv2.code_size"])
        check(at, code.get("CodeContent", {}).get("TextContent", ""), longest)
        job = None if is_sql else self._job(code.get("CodeContent", {}))
        new = (SqlApplication if is_sql else Application)(
            self.world, application_name, self.arn(f"application/{application_name}"), service_execution_role,
            runtime_environment, application_description, code, job, self.now, updated=self.now,
        )  # fmt: skip
        new.checkpoint_interval = self.world.quotas["kinesisanalyticsv2.checkpoint_interval"]
        if isinstance(new, SqlApplication):
            new.inputs, new.outputs = check_inputs(wanted.get("SqlApplicationConfiguration", {}))
            new.prepare()
        self._configure(new, wanted.get("FlinkApplicationConfiguration", {}), "")
        snapshots = wanted.get("ApplicationSnapshotConfiguration", {})
        new.snapshots_enabled = not is_sql and snapshots.get("SnapshotsEnabled", True)
        new.autoscaling = new.autoscaling and not is_sql
        new.properties = wanted.get("EnvironmentProperties", {}).get("PropertyGroups", [])
        self.applications[application_name] = new
        self.world.trace.add("ApplicationCreated", application_name, "", request.caller, request.row)
        return {"ApplicationDetail": self._detail(new)}

    def _check_known(self, wanted: Document) -> None:
        known = (
            "ApplicationCodeConfiguration", "FlinkApplicationConfiguration", "ApplicationSnapshotConfiguration",
            "EnvironmentProperties", "SqlApplicationConfiguration",
        )  # fmt: skip
        for name in wanted:
            if name not in known:
                raise NotSimulated(
                    f"kinesisanalyticsv2: {name} is not simulated. This lab simulates: {', '.join(known)}"
                )

    def _job(self, content: Document) -> Job:
        """The job function that code stands for."""
        job: Job | None = self.world.shared.get(_JOBS, {}).get(content.get("ZipFileContent", b""))
        if job is None:
            raise NotSimulated("kinesisanalyticsv2: the code of a job must be made with cloud.job_code(function)")
        return job

    def _configure(self, app: Application, wanted: Document, suffix: str) -> None:
        """Take over what FlinkApplicationConfiguration says; its names end with `suffix`. Raises what does not fit."""
        quotas = self.world.quotas

        def read(group: str, name: str, now: Any) -> Any:
            about = wanted.get(f"{group}Configuration{suffix}", {})
            if about.get(f"ConfigurationType{suffix}") == "DEFAULT":
                return _DEFAULTS[name]
            return about.get(name + suffix, now)

        parallelism = read("Parallelism", "Parallelism", app.parallelism_set)
        per_kpu = read("Parallelism", "ParallelismPerKPU", app.parallelism_per_kpu)
        for name, value in (("Parallelism", parallelism), ("ParallelismPerKPU", per_kpu)):
            most = quotas[f"kinesisanalyticsv2.parallelism{'_per_kpu' if 'KPU' in name else ''}"]
            if not 1 <= value <= most:
                raise _argument(f"{name} must be from 1 to {most}. The given value is {value}.")
        if -(-parallelism // per_kpu) > quotas["kinesisanalyticsv2.kpus"]:
            text = f"The application needs {-(-parallelism // per_kpu)} KPUs; the limit is"
            raise ServiceError("LimitExceededException", f"{text} {quotas['kinesisanalyticsv2.kpus']}.")
        app.parallelism_set = app.parallelism = parallelism
        app.parallelism_per_kpu = per_kpu
        app.autoscaling = read("Parallelism", "AutoScalingEnabled", app.autoscaling)
        app.checkpointing = read("Checkpoint", "CheckpointingEnabled", app.checkpointing)
        app.checkpoint_interval = read("Checkpoint", "CheckpointInterval", app.checkpoint_interval * 1000) / 1000

    # ---- looking -----------------------------------------------------------------------------------------------------

    def describe_application(
        self, request: Request, *, application_name: str, include_additional_details: bool = False
    ) -> Document:
        return {"ApplicationDetail": self._detail(self._application(application_name))}

    def _detail(self, app: Application) -> Document:
        flink = {
            "CheckpointConfigurationDescription": {
                "ConfigurationType": "CUSTOM",
                "CheckpointingEnabled": app.checkpointing,
                "CheckpointInterval": round(app.checkpoint_interval * 1000),
                "MinPauseBetweenCheckpoints": 5000,
            },
            "ParallelismConfigurationDescription": {
                "ConfigurationType": "CUSTOM",
                "Parallelism": app.parallelism_set,
                "ParallelismPerKPU": app.parallelism_per_kpu,
                "CurrentParallelism": app.parallelism,
                "AutoScalingEnabled": app.autoscaling,
            },
        }
        if isinstance(app, SqlApplication):
            return self._described(app, {"SqlApplicationConfigurationDescription": _sql(app)})
        configuration = {
            "ApplicationCodeConfigurationDescription": {"CodeContentType": app.code["CodeContentType"]},
            "FlinkApplicationConfigurationDescription": flink,
            "ApplicationSnapshotConfigurationDescription": {"SnapshotsEnabled": app.snapshots_enabled},
            "EnvironmentPropertyDescriptions": {"PropertyGroupDescriptions": app.properties},
        }
        return self._described(app, configuration)

    def _described(self, app: Application, configuration: Document) -> Document:
        return {
            "ApplicationARN": app.arn,
            "ApplicationDescription": app.description,
            "ApplicationName": app.name,
            "RuntimeEnvironment": app.runtime,
            "ServiceExecutionRole": app.role,
            "ApplicationStatus": app.status,
            "ApplicationVersionId": app.version,
            "CreateTimestamp": self.date(app.created),
            "LastUpdateTimestamp": self.date(app.updated),
            "ApplicationConfigurationDescription": configuration,
            "ApplicationMode": "STREAMING",
        }

    def list_applications(self, request: Request, *, limit: int = 50, next_token: str | None = None) -> Document:
        page, more = page_of(self.applications, next_token, limit, _argument("NextToken is invalid."))
        summaries = [
            {
                "ApplicationName": app.name,
                "ApplicationARN": app.arn,
                "ApplicationStatus": app.status,
                "ApplicationVersionId": app.version,
                "RuntimeEnvironment": app.runtime,
            }
            for app in (self.applications[name] for name in page)
        ]
        return {"ApplicationSummaries": summaries} | more

    # ---- starting and stopping ---------------------------------------------------------------------------------------

    def start_application(
        self, request: Request, *, application_name: str, run_configuration: Document | None = None
    ) -> Document:
        app = self._application(application_name)
        if app.status != "READY":
            raise _in_use(f"Application {app.arn} cannot be started: it is in state {app.status}.")
        if isinstance(app, SqlApplication):
            self._position(app, (run_configuration or {}).get("SqlRunConfigurations", []))
        restore = (run_configuration or {}).get("ApplicationRestoreConfiguration", {})
        app.start(self._restored(app, restore))
        return {}

    def _position(self, app: SqlApplication, wanted: list[Document]) -> None:
        """Where a SQL application begins to read."""
        if not wanted:
            raise _argument("SqlRunConfigurations must name the starting position of the input.")
        start = wanted[0]["InputStartingPositionConfiguration"].get("InputStartingPosition", "NOW")
        if start != "LAST_STOPPED_POINT":
            app.positions.clear()
            app.since = None if start == "TRIM_HORIZON" else self.now
        app.prepare()

    def _restored(self, app: Application, restore: Document) -> Checkpoint | None:
        """The checkpoint with which to begin; by default that of the newest snapshot."""
        how = restore.get("ApplicationRestoreType", _RESTORE[1] if app.snapshots_enabled else _RESTORE[0])
        if how == _RESTORE[0]:
            return None
        if how == _RESTORE[1]:
            newest = app.latest_snapshot()
            return newest.checkpoint if newest else None
        return self._snapshot(app, restore.get("SnapshotName", "")).checkpoint

    def stop_application(self, request: Request, *, application_name: str, force: bool = False) -> Document:
        app = self._application(application_name)
        may = ("STARTING", "UPDATING", "STOPPING", "AUTOSCALING", "RUNNING") if force else ("RUNNING",)
        if app.status not in may:
            raise _in_use(f"Application {app.arn} cannot be stopped: it is in state {app.status}.")
        app.stop(force)
        return {}

    def update_application(
        self,
        request: Request,
        *,
        application_name: str,
        current_application_version_id: int | None = None,
        application_configuration_update: Document | None = None,
        service_execution_role_update: str | None = None,
    ) -> Document:
        app = self._application(application_name)
        if isinstance(app, SqlApplication):
            raise NotSimulated("kinesisanalyticsv2: an update of a SQL application is not simulated; make a new one")
        if current_application_version_id not in (None, app.version):
            text = f"The current version of the application is {app.version}, not {current_application_version_id}."
            raise ServiceError("ConcurrentModificationException", text)
        if app.status not in ("READY", "RUNNING"):
            raise _in_use(f"Application {app.arn} cannot be updated: it is in state {app.status}.")
        wanted = application_configuration_update or {}
        self._check_known({name.removesuffix("Update"): None for name in wanted})
        code = wanted.get("ApplicationCodeConfigurationUpdate", {}).get("CodeContentUpdate", {})
        job = self._job({"ZipFileContent": code.get("ZipFileContentUpdate", b"")}) if code else app.job

        def change() -> None:
            app.job, app.role = job, service_execution_role_update or app.role
            self._configure(app, wanted.get("FlinkApplicationConfigurationUpdate", {}), "Update")
            snapshots = wanted.get("ApplicationSnapshotConfigurationUpdate", {})
            app.snapshots_enabled = snapshots.get("SnapshotsEnabledUpdate", app.snapshots_enabled)

        tried = Application(**{name: getattr(app, name) for name in _SETTINGS})
        self._configure(tried, wanted.get("FlinkApplicationConfigurationUpdate", {}), "Update")
        app.version += 1
        if app.status == "RUNNING":
            app.replace("UPDATING", change)
        else:
            change()
        return {"ApplicationDetail": self._detail(app)}

    def delete_application(self, request: Request, *, application_name: str, create_timestamp: datetime) -> Document:
        app = self._application(application_name)
        if int(seconds_of(create_timestamp)) != int(self.world.kernel.epoch + app.created):
            raise _argument("CreateTimestamp does not match that of the application.")
        if app.status != "READY":
            raise _in_use(f"Application {app.arn} cannot be deleted: it is in state {app.status}.")
        app.become("DELETING")
        del self.applications[application_name]
        self.world.trace.add("ApplicationDeleted", application_name, "", request.caller, request.row)
        return {}

    # ---- snapshots ---------------------------------------------------------------------------------------------------

    def create_application_snapshot(self, request: Request, *, application_name: str, snapshot_name: str) -> Document:
        app = self._application(application_name)
        if not app.snapshots_enabled:
            raise ServiceError("UnsupportedOperationException", "Snapshots are not enabled for this application.")
        if app.status != "RUNNING" or app.attempt is None:
            text = f"Application {app.arn} is in state {app.status}; a snapshot needs a running application."
            raise ServiceError("InvalidRequestException", text)
        if snapshot_name in app.snapshots:
            raise _in_use(f"Snapshot {snapshot_name} already exists.")
        if len(app.snapshots) >= self.world.quotas["kinesisanalyticsv2.snapshots"]:
            raise ServiceError("LimitExceededException", "Exceeded the number of snapshots.")
        app.snapshots[snapshot_name] = new = Snapshot(snapshot_name, self.now, app.version)
        app.attempt.savepoint(lambda done: app.keep(new, done), stop=False)
        return {}

    def _snapshot(self, app: Application, name: str) -> Snapshot:
        if name not in app.snapshots:
            raise _missing(f"Snapshot {name} of application {app.arn} not found.")
        return app.snapshots[name]

    def describe_application_snapshot(self, request: Request, *, application_name: str, snapshot_name: str) -> Document:
        app = self._application(application_name)
        return {"SnapshotDetails": self._shown(self._snapshot(app, snapshot_name))}

    def list_application_snapshots(
        self, request: Request, *, application_name: str, limit: int = 50, next_token: str | None = None
    ) -> Document:
        app = self._application(application_name)
        page, more = page_of(app.snapshots, next_token, limit, _argument("NextToken is invalid."))
        return {"SnapshotSummaries": [self._shown(app.snapshots[name]) for name in page]} | more

    def _shown(self, snapshot: Snapshot) -> Document:
        return {
            "SnapshotName": snapshot.name,
            "SnapshotStatus": snapshot.status,
            "ApplicationVersionId": snapshot.version,
            "SnapshotCreationTimestamp": self.date(snapshot.created),
        }

    def delete_application_snapshot(
        self, request: Request, *, application_name: str, snapshot_name: str, snapshot_creation_timestamp: datetime
    ) -> Document:
        app = self._application(application_name)
        self._snapshot(app, snapshot_name)
        del app.snapshots[snapshot_name]
        return {}


_DEFAULTS = {
    "Parallelism": 1, "ParallelismPerKPU": 1, "AutoScalingEnabled": True, "CheckpointingEnabled": True,
    "CheckpointInterval": 60_000,
}  # fmt: skip
_SETTINGS = (
    "world", "name", "arn", "role", "runtime", "description", "code", "job", "created", "parallelism_set",
    "parallelism_per_kpu", "autoscaling", "checkpointing", "checkpoint_interval",
)  # fmt: skip


def _sql(app: SqlApplication) -> Document:
    """What DescribeApplication says of inputs and outputs."""
    inputs = [
        {
            "InputId": f"{n}.1",
            "NamePrefix": one["NamePrefix"],
            "InAppStreamNames": [f"{one['NamePrefix']}_001"],
            "KinesisStreamsInputDescription": one["KinesisStreamsInput"],
            "InputSchema": one["InputSchema"],
        }
        for n, one in enumerate(app.inputs, 1)
    ]
    outputs = [
        {"OutputId": f"{n}.1", "Name": one["Name"], "DestinationSchema": one["DestinationSchema"]}
        | {f"{kind}Description": one[kind] for kind in one if kind.endswith("Output")}
        for n, one in enumerate(app.outputs, 1)
    ]
    return {"InputDescriptions": inputs, "OutputDescriptions": outputs}
