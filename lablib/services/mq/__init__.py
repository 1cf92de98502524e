"""Amazon MQ: brokers for programs that speak open protocols.

Operations, parameters and constraints: API reference (2017-11-27) as shipped in botocore. Here is the control plane:
what makes, shows, reboots and deletes brokers. What a broker does is its engine's (`engine`); clients reach it over the
virtual network by the names that DescribeBroker gives.
"""

from __future__ import annotations

from functools import partial
from math import nan
from typing import Any

from lablib.aws.arn import Arn
from lablib.aws.lists import Tags
from lablib.aws.service import Bill, NotSimulated, Request, ServiceError, Target
from lablib.kernel.network import Host, network_of
from lablib.services.mq.bill import bill
from lablib.services.mq.checks import bad_request, check_broker, check_user, check_window, page, seconds_to
from lablib.services.mq.control import Control, engine_class
from lablib.services.mq.engine import Broker, Document, Node
from lablib.services.mq.events import EVENTS
from lablib.services.mq.quotas import QUOTAS
from lablib.services.mq.rabbitmq.events import EVENTS as RABBITMQ_EVENTS
from lablib.services.mq.rabbitmq.quotas import QUOTAS as RABBITMQ_QUOTAS

_PENDING = ("EngineVersion", "HostInstanceType", "SecurityGroups")  # shown by DescribeBroker
_ECHOED = (*_PENDING, "Configuration", "Logs")  # answered by UpdateBroker


class Mq(Control):
    """Amazon MQ in one region of one account."""

    events = (*EVENTS, *RABBITMQ_EVENTS)
    quotas = (*QUOTAS, *RABBITMQ_QUOTAS)

    def target(self, operation: str, params: dict[str, object]) -> Target:
        broker = self.brokers.get(str(params.get("broker_id", "")))
        name = broker.name if broker else str(params.get("broker_name", ""))
        return Target(name, self.world.account, (f"mq:{operation}",), broker.arn if broker else "*")

    def parameters_about(self, arn: Arn) -> Document:
        return {"broker_id": arn.resource.rpartition(":")[2]}

    # ---- brokers -----------------------------------------------------------------------------------------------------

    def create_broker(
        self,
        request: Request,
        *,
        broker_name: str,
        deployment_mode: str,
        engine_type: str,
        host_instance_type: str,
        publicly_accessible: bool,
        engine_version: str | None = None,
        users: list[Document] | None = None,
        storage_type: str | None = None,
        auto_minor_version_upgrade: bool = True,
        maintenance_window_start_time: Document | None = None,
        security_groups: list[str] | None = None,
        subnet_ids: list[str] | None = None,
        tags: dict[str, str] | None = None,
        logs: Document | None = None,
        creator_request_id: str | None = None,
        configuration: Document | None = None,
        authentication_strategy: str = "SIMPLE",
        encryption_options: Document | None = None,
    ) -> Document:
        kind = engine_class(engine_type)
        storage = storage_type or ("EBS" if engine_type == "RABBITMQ" else "EFS")
        version = engine_version or kind.default_version(self.world)
        check_broker(broker_name, kind, engine_type, deployment_mode, version, host_instance_type, storage, subnet_ids)
        accounts = [check_user(user) for user in users or ()]
        if engine_type == "RABBITMQ" and len(accounts) != 1:
            raise bad_request("Specify exactly one user for engine type [RABBITMQ].")
        if authentication_strategy != "SIMPLE":
            raise NotSimulated("mq.create_broker: only the authentication strategy SIMPLE is simulated")
        for broker in self.brokers.values():
            if creator_request_id is not None and broker.settings["CreatorRequestId"] == creator_request_id:
                return {"BrokerArn": broker.arn, "BrokerId": broker.id}
            if broker.name == broker_name:
                text = f"Broker with name [{broker_name}] already exists."
                raise ServiceError("ConflictException", text, status=409)
        if len(self.brokers) >= self.world.quotas["mq.brokers"]:
            text = f"You have reached the limit of {self.world.quotas['mq.brokers']} brokers."
            raise ServiceError("ForbiddenException", text, status=403)
        if configuration is not None:
            chosen = self._configuration(configuration["Id"])
            configuration = {"Revision": len(chosen.revisions), **configuration}
            self._revision(chosen, configuration["Revision"])
        id = f"b-{self.world.chance.uuid('brokers')}"
        broker = Broker(
            self.world,
            id,
            broker_name,
            self.arn(f"broker:{broker_name}:{id}"),
            engine_type,
            version,
            deployment_mode,
            host_instance_type,
            storage,
            {user.name: user for user in accounts},
            self.now,
            {
                "AutoMinorVersionUpgrade": auto_minor_version_upgrade,
                "MaintenanceWindowStartTime": check_window(
                    maintenance_window_start_time or {"DayOfWeek": "SUNDAY", "TimeOfDay": "03:00"}
                ),
                "CreatorRequestId": creator_request_id,
                "Configurations": {"Current": configuration, "History": []} if configuration else {"History": []},
                "Logs": {"General": False, "GeneralLogGroup": f"/aws/amazonmq/broker/{id}/general", **(logs or {})},
                "PubliclyAccessible": publicly_accessible,
                "SecurityGroups": security_groups or [f"sg-{id[2:10]}"],
                "SubnetIds": subnet_ids or [f"subnet-{id[2:9]}{n}" for n in range(kind.hosts[deployment_mode])],
                "EncryptionOptions": encryption_options or {"UseAwsOwnedKey": True},
                "AuthenticationStrategy": "SIMPLE",
            },
            Tags(tags or {}),
        )
        self.brokers[id] = broker
        self.engines[id] = kind(broker)
        broker.emit("BrokerCreated", actor=request.caller, cause=request.row)
        self._note_price(broker)
        quotas, kernel = self.world.quotas, self.world.kernel
        kernel.after(max(0.0, quotas["mq.create_time"] - quotas["mq.boot_time"]), self._boot, broker)
        kernel.after(quotas["mq.create_time"], self._created, broker)
        return {"BrokerArn": broker.arn, "BrokerId": id}

    def describe_broker(self, request: Request, *, broker_id: str) -> Document:
        broker = self._broker(broker_id)
        settings = {k: v for k, v in broker.settings.items() if k != "CreatorRequestId"}
        if "Configuration" in broker.planned:
            settings["Configurations"] = {**settings["Configurations"], "Pending": broker.planned["Configuration"]}
        pending = {f"Pending{k}": v for k, v in broker.planned.items() if k in _PENDING}
        answer = self._summary(broker) | settings | pending
        return answer | {
            "EngineVersion": broker.version,
            "StorageType": broker.storage,
            "BrokerInstances": self.engines[broker.id].instances() if broker.hosts else [],
            "Users": broker.user_summaries(),
            "Tags": dict(broker.tags),
        }

    def update_broker(
        self,
        request: Request,
        *,
        broker_id: str,
        auto_minor_version_upgrade: bool | None = None,
        configuration: Document | None = None,
        engine_version: str | None = None,
        host_instance_type: str | None = None,
        logs: Document | None = None,
        maintenance_window_start_time: Document | None = None,
        security_groups: list[str] | None = None,
    ) -> Document:
        """The window and the automatic upgrade change at once, all else waits for a reboot or the window."""
        broker = self._broker(broker_id)
        version, size = engine_version or broker.version, host_instance_type or broker.size
        check_broker(
            broker.name,
            type(self.engines[broker.id]),
            broker.engine_type,
            broker.mode,
            version,
            size,
            broker.storage,
            None,
        )
        if maintenance_window_start_time is not None:
            broker.settings["MaintenanceWindowStartTime"] = check_window(maintenance_window_start_time)
        if auto_minor_version_upgrade is not None:
            broker.settings["AutoMinorVersionUpgrade"] = auto_minor_version_upgrade
        if configuration is not None:
            chosen = self._configuration(configuration["Id"])
            configuration = {"Revision": len(chosen.revisions), **configuration}
            self._revision(chosen, configuration["Revision"])
        changes = {
            "Configuration": configuration, "EngineVersion": engine_version, "HostInstanceType": host_instance_type,
            "SecurityGroups": security_groups, "Logs": logs,
        }  # fmt: skip
        for what, change in changes.items():
            if change is not None:
                self._plan(broker, what, change)
        shown = ("AutoMinorVersionUpgrade", "MaintenanceWindowStartTime")
        return {
            "BrokerId": broker_id,
            **{k: broker.settings[k] for k in shown},
            **{k: v for k, v in broker.planned.items() if k in _ECHOED},
        }

    def list_brokers(
        self, request: Request, *, max_results: int | None = None, next_token: str | None = None
    ) -> Document:
        found, more = page(list(self.brokers.values()), max_results, next_token)
        return {"BrokerSummaries": [self._summary(broker) for broker in found]} | more

    def reboot_broker(self, request: Request, *, broker_id: str) -> Document:
        broker = self._broker(broker_id)
        if broker.state != "RUNNING":
            raise ServiceError("BadRequestException", f"Broker [{broker_id}] is not running.")
        if why := self.engines[broker.id].reboot_refused():
            raise ServiceError("BadRequestException", why)
        self._reboot(broker, "RebootBroker was called", request.row)
        return {}

    def delete_broker(self, request: Request, *, broker_id: str) -> Document:
        broker = self._broker(broker_id)
        if broker.state not in ("RUNNING", "CREATION_FAILED", "CRITICAL_ACTION_REQUIRED"):
            raise ServiceError("BadRequestException", f"Broker [{broker_id}] cannot be deleted while {broker.state}.")
        broker.state = "DELETION_IN_PROGRESS"
        for node in broker.nodes:
            if node is not None:
                node.stop()
        self.world.kernel.after(self.world.quotas["mq.delete_time"], self._deleted, broker)
        return {"BrokerId": broker_id}

    def _summary(self, broker: Broker) -> Document:
        return {
            "BrokerArn": broker.arn,
            "BrokerId": broker.id,
            "BrokerName": broker.name,
            "BrokerState": broker.state,
            "Created": self.date(broker.created),
            "DeploymentMode": broker.mode,
            "EngineType": broker.engine_type,
            "HostInstanceType": broker.size,
        }

    # ---- the life of a broker ----------------------------------------------------------------------------------------

    def establish(self, broker_id: str) -> None:
        """For scenarios: a broker that is being created is there, and has been for long. It is RUNNING, and serves as
        soon as time passes."""
        broker = self._broker(broker_id)
        broker.established = True
        self._boot(broker)
        self._created(broker)

    def price_per_hour(self, broker_id: str) -> float | None:
        """Dollars an hour for a broker's instances, busy or idle; None for sizes whose price the lab does not know."""
        broker = self._broker(broker_id)
        family, _, size = broker.size.removeprefix("mq.").partition(".")
        count = self.engines[broker.id].hosts[broker.mode]
        if broker.size == "mq.t2.micro":
            return float(count * self.world.quotas["mq.price_micro"])
        steps = ("large", "xlarge", "2xlarge", "4xlarge")
        if family != "m5" or size not in steps:
            return None
        return float(count * self.world.quotas["mq.price_large"] * 2 ** steps.index(size))

    def _note_price(self, broker: Broker) -> None:
        price = self.price_per_hour(broker.id)
        self._prices.append((self.now, broker.id, nan if price is None else price))

    def biller(self) -> Bill:
        return partial(bill, self._prices)

    def restrict(self, security_group: str, *hosts: str) -> None:
        """For scenarios: from now on this security group lets in these hosts of the network only (EC2 is not simulated;
        a group of which this was never said lets everybody in). Who is not let in hears nothing, and times out."""
        self.rules[security_group] = frozenset(hosts)

    def _lets_in(self, broker: Broker, client: Host, port: int) -> bool:
        groups = broker.settings["SecurityGroups"]
        rules = [self.rules[group] for group in groups if group in self.rules]
        own = client in broker.hosts
        return own or len(rules) < len(groups) or any(client.name in rule for rule in rules)

    def _created(self, broker: Broker) -> None:
        if broker.state == "CREATION_IN_PROGRESS":
            broker.state = "RUNNING"
            broker.emit("BrokerRunning")

    def _boot(self, broker: Broker) -> None:
        """A new broker gets its hosts, and its programs start."""
        if broker.hosts:
            return
        network = network_of(self.world.kernel)
        count = self.engines[broker.id].hosts[broker.mode]
        hosts = []
        for number in range(1, count + 1):
            name = broker.name if count == 1 else f"{broker.name}-{number}"
            if network.find(name) is not None or name in self.world.kernel.processes:
                name = broker.dns(number)
            host = network.add_host(name, broker.dns(number), *([broker.dns()] if number == 1 else []))
            network.certify(name, [broker.dns(), *(broker.dns(n) for n in range(1, count + 1))])
            host.lets_in = partial(self._lets_in, broker)
            hosts.append(host)
        broker.hosts = tuple(hosts)
        broker.nodes = [None] * count
        for number in range(1, count + 1):
            self._start(broker, number)

    def _start(self, broker: Broker, number: int) -> None:
        """The program begins on a host, which has power again if it had none."""
        if broker.nodes[number - 1] is not None or broker.state == "DELETION_IN_PROGRESS":
            return
        host = broker.hosts[number - 1]
        if not host.up:
            network_of(self.world.kernel).power_on(host.name)
        node = broker.nodes[number - 1] = Node(broker, self.engines[broker.id], number, partial(self._ended, broker))
        broker.emit("NodeStarted", actor=node.name)

    def _ended(self, broker: Broker, node: Node) -> None:
        """A program is over. One that was not asked to end is replaced."""
        broker.nodes[node.number - 1] = None
        wait = "mq.restart_time" if node.stopping else "mq.replace_time"
        if broker.state != "DELETION_IN_PROGRESS":
            self.world.kernel.after(self.world.quotas[wait], self._start, broker, node.number)

    def _reboot(self, broker: Broker, why: str, cause: int = -1) -> None:
        broker.state = "REBOOT_IN_PROGRESS"
        broker.emit("BrokerRebooting", cause=cause, detail=why)
        self._apply(broker)
        self.engines[broker.id].reboot()
        self.world.kernel.after(self.world.quotas["mq.reboot_time"], self._rebooted, broker)

    def schedule_maintenance(self, broker_id: str, why: str = "a patch is due") -> None:
        """For scenarios and the curious: something is to be done in the broker's next maintenance window."""
        self._plan(self._broker(broker_id), "Patch", why)

    def _plan(self, broker: Broker, what: str, change: Any) -> None:
        """A change that waits for the next reboot or maintenance window."""
        if not broker.planned:
            window = broker.settings["MaintenanceWindowStartTime"]
            wait = seconds_to(window, self.world.kernel.epoch + self.now)
            self.world.kernel.after(wait, self._maintain, broker, window)
        broker.planned[what] = change

    def _maintain(self, broker: Broker, window: Document) -> None:
        """The window opens. If it was moved meanwhile, or the broker is busy, wait for the next one."""
        if broker.id not in self.brokers or not broker.planned:
            return
        now = broker.settings["MaintenanceWindowStartTime"]
        if now != window or broker.state != "RUNNING":
            wait = seconds_to(now, self.world.kernel.epoch + self.now) or 7 * 86_400
            self.world.kernel.after(wait, self._maintain, broker, now)
            return
        broker.state = "REBOOT_IN_PROGRESS"
        broker.emit("BrokerRebooting", detail="its maintenance window is open")
        self._apply(broker)
        self.engines[broker.id].maintain()
        self.world.kernel.after(self.world.quotas["mq.reboot_time"], self._rebooted, broker)

    def _apply(self, broker: Broker) -> None:
        """Make the planned changes true."""
        planned, broker.planned = broker.planned, {}
        broker.version = planned.get("EngineVersion", broker.version)
        broker.size = planned.get("HostInstanceType", broker.size)
        self._note_price(broker)
        for what in ("SecurityGroups", "Logs"):
            if what in planned:
                broker.settings[what] = planned[what]
        if "Configuration" in planned:
            old = broker.settings["Configurations"]
            history = [*old["History"], *([old["Current"]] if "Current" in old else [])]
            broker.settings["Configurations"] = {"Current": planned["Configuration"], "History": history}
        for name, user in broker.planned_users.items():
            if user is None:
                broker.users.pop(name, None)
            else:
                broker.users[name] = user
        broker.planned_users = {}
        self.engines[broker.id].users_changed()

    def _rebooted(self, broker: Broker) -> None:
        if broker.state == "REBOOT_IN_PROGRESS":
            broker.state = "RUNNING"
            broker.emit("BrokerRunning")

    def _deleted(self, broker: Broker) -> None:
        for host in broker.hosts:
            network_of(self.world.kernel).power_off(host.name)
        broker.emit("BrokerDeleted")
        self._prices.append((self.now, broker.id, 0.0))
        del self.brokers[broker.id], self.engines[broker.id]
