"""A cloud of your own: simulated AWS services in virtual time, from one seed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING, Any

from lablib import services
from lablib.aws import programs
from lablib.aws.arn import ACCOUNT, Arn
from lablib.aws.event import refusal
from lablib.aws.quotas import Edition
from lablib.aws.service import Principal, Service, World
from lablib.clients.direct import DirectClient
from lablib.gateway import Faults, Gateway
from lablib.kernel import Chance, Kernel, Process, Trace
from lablib.kernel.loop import check_duration
from lablib.kernel.network import Network, network_of
from lablib.kernel.stdlib.patching import when_imported
from lablib.kernel.unheld import watch

if TYPE_CHECKING:
    import pandas


def _join_boto3(boto3: Any) -> None:
    """boto3.client(...) inside a process is a client of its cloud, whoever imports boto3 first."""
    import_module("lablib.clients.sessions")


when_imported("boto3", _join_boto3)


_LONGEST = 100 * 365 * 86_400  # seconds of a cloud


class Cloud:
    """Simulated AWS in virtual time. The same seed and the same code give the same run, everywhere.

    `seed`: any whole number. `limits`: "2023" for the quotas of the course notes, "today" for AWS's present ones.
    `strict`: check every answer against botocore's model of it. `assume`: values for what AWS does not publish, such as
    `{"sqs.servers": 3}`; `lablib.limits()` lists them. Raises ValueError or TypeError for values that make no sense.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        limits: Edition = "2023",
        strict: bool = False,
        assume: Mapping[str, float] | None = None,
        region_name: str = "us-east-1",
    ) -> None:
        self.limits = limits
        self.region_name = check_region(region_name)
        self.quotas = services.quota_values(limits, assume)
        self.chance = Chance(seed)
        self.kernel = Kernel(self.chance, f"Cloud(seed={seed})")
        self.trace = Trace(self.kernel)
        self.trace.declare(programs.EVENTS)
        self.kernel.on_event = self._note
        self.kernel.make_client = self.client
        self.gateway = Gateway(self.kernel, self.trace, self.chance, self.quotas, self.service)
        self._caller = partial(self.kernel.current_name, "you")
        self._strict = strict
        self._services: dict[tuple[str, str, str], Service] = {}
        self._shared: dict[str, Any] = {}
        self._callers_differ = False
        self._door: Any = None
        watch(self)

    # ---- calling AWS ------------------------------------------------------------------------------------------------

    def client(
        self,
        service_name: str,
        region_name: str | None = None,
        *,
        role: str | None = None,
        account: str = ACCOUNT,
        use_ssl: bool = True,
        config: Any = None,
        **others: Any,
    ) -> Any:
        """A boto3 client whose calls end in this cloud. Arguments are those of `boto3.client`; credentials, `verify`
        and `api_version` have no effect: there is one cloud, and it is here. But with the access key of
        `sts.assume_role` the client calls as that session of the role. `endpoint_url` matters where each resource has
        an endpoint of its own (Kinesis Video Streams).

        `role`: the name of an IAM role (made with `create_role`) as which to call; else the account's administrator
        calls. `account`: the twelve digits of another account. `use_ssl=False`: requests travel in the open, which
        policies see as `aws:SecureTransport`, and which SQS and SNS refuse. Raises NotSimulated for a service that this
        lab has not, ValueError for a role that does not exist, and TypeError for an argument that nobody knows.
        """
        from lablib.clients import boto

        boto.check_arguments("client", others, ("role", "account"))
        if config is not None and region_name is None:
            region_name = config.region_name
        region = check_region(region_name) if region_name else self.region_name
        if self._door is None:
            self._door = boto.Door(self.kernel, self.gateway, self.trace, self.chance, self._caller, self._strict)
        service = self.service(service_name, region, account).at(others.get("endpoint_url"))
        principal = self._principal(role, account) or self._shared.get("sessions", {}).get(
            others.get("aws_access_key_id")
        )
        if not use_ssl:
            principal = self._in_the_open(principal, account)
        return boto.make_client(self._door, service, region, self.limits, config, principal)

    def _principal(self, role: str | None, account: str) -> Principal | None:
        return self.service(services.PROVIDERS["roles"], account=account).principal(role) if role is not None else None

    def _in_the_open(self, principal: Principal | None, account: str) -> Principal:
        from lablib.aws.access.decide import administrator

        who = principal or administrator(account, self.region_name)
        return replace(who, context={**who.context, "aws:SecureTransport": "false"})

    def resource(
        self,
        service_name: str,
        region_name: str | None = None,
        *,
        role: str | None = None,
        account: str = ACCOUNT,
        **more: Any,
    ) -> Any:
        """A boto3 resource, for example `cloud.resource("sqs").get_queue_by_name(QueueName="orders")`. Arguments and
        errors are those of `client`."""
        from lablib.clients import boto

        boto.check_arguments("resource", more, ("role", "account"))
        client = partial(self.client, role=role, account=account)
        return boto.make_resource(client, service_name, region_name=region_name or self.region_name, **more)

    def direct(self, service_name: str, *, role: str | None = None, account: str = ACCOUNT) -> DirectClient:
        """A plain client for the lab's own actors: same calls, no validation, no retries, a third of the cost."""
        service = self.service(service_name, account=account)
        return DirectClient(self.gateway, service, self._caller, self._principal(role, account))

    def service(self, name: str, region_name: str | None = None, account: str = ACCOUNT) -> Any:
        """The simulated service itself, from inside: for faults and for looking under the bonnet."""
        kind = services.find(name)
        key = (name, self.region_name if kind.is_global else region_name or self.region_name, account)
        if key not in self._services:
            world = World(
                self.kernel, self.trace, self.chance, self.quotas, self.gateway, key[1], account, self._shared
            )
            self._services[key] = service = kind(world)
            self.trace.declare((refusal(service.throttle[0]), *service.events))
            self.trace.bills[service.name] = service.biller()
            if account != ACCOUNT or self._callers_differ:  # a resource may be another account's
                self._tell_callers_apart()
        return self._services[key]

    def everywhere(self, name: str) -> list[Any]:
        """The simulated service in each region and account in which it was used."""
        return [service for (known, _, _), service in self._services.items() if known == name]

    def _tell_callers_apart(self) -> None:
        """From now on it matters who calls, in services too where no resource has a policy."""
        self._callers_differ = True
        for known in self._services.values():
            known.has_policies = True

    def deploy(
        self,
        name: str,
        handler: Callable[[Any, Any], Any],
        *,
        timeout: int = 3,
        memory: int = 128,
        role: str | None = None,
        region_name: str | None = None,
        account: str = ACCOUNT,
    ) -> str:
        """Make a Lambda function of an ordinary function `handler(event, context)`, and return its ARN.

        It runs in virtual time: one process for each invocation, which is stopped after `timeout` seconds (1 to 900).
        `role`: the name of an IAM role; with it, the function's calls are made as that role, else as the account's
        administrator. To deploy a name again replaces the code. Raises TypeError when `handler` cannot be called,
        ValueError for a role that does not exist, ServiceError for what Lambda does not accept.
        """
        if not callable(handler):
            raise TypeError(f"handler={handler!r}: must be a function handler(event, context)")
        principal = self._principal(role, account)
        functions = self.service(services.PROVIDERS["functions"], region_name, account)
        if principal is not None:
            self._tell_callers_apart()
        return str(functions.deploy(name, handler, self._caller(), timeout, memory, principal))

    def job_code(self, job: Callable[[Any], Any]) -> dict[str, Any]:
        """The code of a Flink application, for `create_application(ApplicationConfiguration={
        "ApplicationCodeConfiguration": cloud.job_code(job)}, ...)`, made of an ordinary function `job(env)`. What `env`
        offers is described in `lablib.services.kinesisanalyticsv2.dataflow`. Raises TypeError when it cannot be called.
        """
        code: dict[str, Any] = self.service(services.PROVIDERS["jobs"]).job_code(job)
        return code

    @property
    def faults(self) -> Faults:
        """What goes wrong at the front door: `cloud.faults.add(Fault("lost_answer", operations=("SendMessage",)))`."""
        return self.gateway.faults

    @property
    def network(self) -> Network:
        """The virtual network: what sockets of processes reach, and how it fails, such as
        `cloud.network.partition("consumer", "broker")`."""
        return network_of(self.kernel)

    def _note(self, kind: str, actor: str, other: str, detail: str) -> None:
        self.trace.add(kind, resource=other, actor=actor, detail=detail or None)

    # ---- running ----------------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Virtual seconds since the run began."""
        return self.kernel.now

    @property
    def processes(self) -> dict[str, Process]:
        """All processes by name, ended ones too; a thread of a program only while it runs."""
        return self.kernel.processes

    def spawn(self, fn: Callable[..., Any], *args: Any, name: str | None = None) -> Process:
        """Start an ordinary function as a process. It runs when time passes: `cloud.advance`, or any call that
        waits."""
        return self.kernel.spawn(fn, *args, name=name)

    def kill(self, process: Process | str) -> None:
        """Crash a process, given itself or its name."""
        self.kernel.kill(self._named(process))

    def _named(self, process: Process | str) -> Process:
        if isinstance(process, Process):
            return process
        if process not in self.processes:
            raise KeyError(f"no process is called {process!r}; there are: {', '.join(self.processes) or 'none'}")
        return self.processes[process]

    def run(self, fn: Callable[..., Any], *args: Any, name: str | None = None) -> Any:
        """Run a function as a process to its end, and return what it returns. `time.sleep` in it is virtual."""
        process = self.spawn(fn, *args, name=name)
        if self.kernel.current or process.alive:
            self.kernel.wait(process.done)
        return process.result

    def advance(self, seconds: float) -> None:
        """Let virtual time pass, in seconds. Raises ValueError for what is none, or beyond a hundred years."""
        if self.now + check_duration("seconds", seconds) > _LONGEST:
            raise ValueError(f"seconds={seconds!r}: a cloud lasts at most {_LONGEST:,} seconds, a hundred years")
        self.kernel.advance(check_duration("seconds", seconds))

    def step(self) -> bool:
        """Let the next single thing happen. False when nothing is left."""
        return self.kernel.step()

    def close(self) -> None:
        """End all processes (their `finally` blocks run). The trace can still be read. Raises RuntimeError in a process
        of this cloud: it would end itself.
        """
        if self.kernel.current is not None:
            raise RuntimeError("close: a process cannot close the cloud that it runs in; end the process with `return`")
        self.kernel.close()
        self.trace.freeze()

    def __enter__(self) -> Cloud:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    # ---- looking back -----------------------------------------------------------------------------------------------

    @property
    def api_log(self) -> pandas.DataFrame:
        """Every API call so far, as a DataFrame: our CloudTrail."""
        return self.trace.to_frame(api=True)

    def explain(self, message_id: str) -> str:
        """What happened to a message, and why, in words."""
        return self.trace.explain(message_id)

    def explain_access(
        self,
        action: str,
        resource: str,
        *,
        role: str | None = None,
        account: str = ACCOUNT,
        service: str | None = None,
        source_arn: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> str:
        """May somebody do that? Which statement of which policy decides; when nothing allows it, what came closest.

        `action` such as "sqs:SendMessage", `resource` an ARN, or "*". Who asks: the role of that name in `account`; or
        an AWS `service` such as "sns.amazonaws.com", for the topic or bucket with `source_arn`; else the administrator
        of `account`. `context`: further condition keys, such as {"aws:SourceIp": "203.0.113.9"}. Nothing is done, and
        no time passes. Raises ValueError for an action, an ARN or a role that cannot be.
        """
        from lablib.aws.access.decide import AccessRequest, administrator, decide

        operation = action.partition(":")[2]
        if not operation or "*" in action:
            raise ValueError(f'action={action!r}: must be one action, such as "sqs:SendMessage"')
        to = Arn.parse(resource)
        if to is None and resource != "*":
            raise ValueError(f'resource={resource!r}: must be an ARN, or "*"')
        if service is not None and role is not None:
            raise ValueError(f"service={service!r} and role={role!r}: give one of the two")
        known: dict[str, Any] = dict(context or {})
        if source_arn is not None:
            source = Arn.parse(source_arn)
            known |= {"aws:SourceArn": source_arn, "aws:SourceAccount": (source and source.account) or account}
        caller = self._principal(role, account) or administrator(account, self.region_name)
        if service is not None:
            caller = Principal(account, service=service)
        owner, policy, missing = account, None, ""
        if to is not None:
            owned = self.service(to.service, to.region or None, to.account or account)
            params = owned.parameters_about(to)
            target = owned.target(operation, params)
            owner, policy = to.account or target.owner, target.policy
            missing = "" if target.exists else f"There is no {resource}: look at its name, region and account.\n"
            known = {"aws:RequestedRegion": owned.world.region, **target.context, **known}
        now = self.kernel.epoch + self.now
        return missing + decide(AccessRequest(action, resource, caller, owner, known, now), policy).explain()

    def __repr__(self) -> str:
        return f"<Cloud seed={self.chance.seed} limits={self.limits!r}: {self.now:g} s, {len(self.trace)} rows>"


def check_region(name: str) -> str:
    """Return `name` when it has the form of a region's. Raises ValueError."""
    if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-[1-9]", str(name)):
        raise ValueError(f'region_name={name!r}: must be the name of a region, such as "ap-northeast-2" (Seoul)')
    return name
