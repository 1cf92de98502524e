"""Amazon MQ: brokers for programs that speak open protocols.

Operations, parameters and constraints: API reference (2017-11-27) as shipped in botocore. Here is the control plane:
what makes, shows, reboots and deletes brokers. What a broker does is its engine's (`engine`); clients reach it over the
virtual network by the names that DescribeBroker gives.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

from lablib.aws.arn import Arn
from lablib.aws.lists import Tags, page_of
from lablib.aws.service import Request, Service, ServiceError, Target, World
from lablib.kernel.network import network_of
from lablib.services.mq.engine import Broker, Document, Engine, Node, User
from lablib.services.mq.events import EVENTS
from lablib.services.mq.quotas import QUOTAS
from lablib.services.mq.rabbitmq.events import EVENTS as RABBITMQ_EVENTS
from lablib.services.mq.rabbitmq.quotas import QUOTAS as RABBITMQ_QUOTAS


def _engine(engine_type: str) -> type[Engine]:
    """The class of an engine, loaded when it is needed."""
    if engine_type == "ACTIVEMQ":
        from lablib.services.mq.activemq import ActiveMq

        return ActiveMq
    if engine_type == "RABBITMQ":
        from lablib.services.mq.rabbitmq import RabbitMq

        return RabbitMq
    raise ServiceError(
        "BadRequestException",
        f"Broker engine type [{engine_type}] is invalid. Valid values are: [ACTIVEMQ, RABBITMQ]",
    )


class Mq(Service):
    """Amazon MQ in one region of one account."""

    name = "mq"
    events = (*EVENTS, *RABBITMQ_EVENTS)
    quotas = (*QUOTAS, *RABBITMQ_QUOTAS)

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.brokers: dict[str, Broker] = {}
        self.engines: dict[str, Engine] = {}  # by the broker's id

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
    ) -> Document:
        kind = _engine(engine_type)
        if any(b.name == broker_name for b in self.brokers.values()):
            raise ServiceError("ConflictException", f"Broker with name {broker_name} already exists.", status=409)
        id = f"b-{self.world.chance.uuid('brokers')}"
        broker = Broker(
            self.world,
            id,
            broker_name,
            self.arn(f"broker:{broker_name}:{id}"),
            engine_type,
            engine_version or kind.versions[0],
            deployment_mode,
            host_instance_type,
            storage_type or ("EBS" if engine_type == "RABBITMQ" else "EFS"),
            {u["Username"]: _user(u) for u in users or ()},
            self.now,
            {
                "AutoMinorVersionUpgrade": auto_minor_version_upgrade,
                "MaintenanceWindowStartTime": maintenance_window_start_time
                or {"DayOfWeek": "SUNDAY", "TimeOfDay": "03:00", "TimeZone": "UTC"},
                "PubliclyAccessible": publicly_accessible,
                "SecurityGroups": security_groups or [f"sg-{id[2:10]}"],
                "SubnetIds": subnet_ids or [f"subnet-{id[2:9]}{n}" for n in range(kind.hosts[deployment_mode])],
                "EncryptionOptions": {"UseAwsOwnedKey": True},
                "AuthenticationStrategy": "SIMPLE",
            },
            Tags(tags or {}),
        )
        self.brokers[id] = broker
        self.engines[id] = kind(broker)
        broker.emit("BrokerCreated", actor=request.caller, cause=request.row)
        quotas, kernel = self.world.quotas, self.world.kernel
        kernel.after(max(0.0, quotas["mq.create_time"] - quotas["mq.boot_time"]), self._boot, broker)
        kernel.after(quotas["mq.create_time"], self._created, broker)
        return {"BrokerArn": broker.arn, "BrokerId": id}

    def describe_broker(self, request: Request, *, broker_id: str) -> Document:
        broker = self._broker(broker_id)
        answer = (
            self._summary(broker)
            | broker.settings
            | {
                "EngineVersion": broker.version,
                "StorageType": broker.storage,
                "BrokerInstances": self.engines[broker.id].instances() if broker.hosts else [],
                "Users": [{"Username": name} for name in broker.users],
                "Tags": dict(broker.tags),
            }
        )
        return answer

    def list_brokers(self, request: Request, *, max_results: int = 100, next_token: str | None = None) -> Document:
        wrong = ServiceError("BadRequestException", "The provided NextToken is not valid.")
        ids, more = page_of(self.brokers, next_token, max_results, wrong)
        return {"BrokerSummaries": [self._summary(self.brokers[id]) for id in ids]} | more

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

    def _broker(self, id: str) -> Broker:
        broker = self.brokers.get(id)
        if broker is None:
            text = f"Can't find requested broker [{id}]. Make sure your broker exists."
            raise ServiceError("NotFoundException", text, status=404)
        return broker

    def _summary(self, broker: Broker) -> Document:
        return {
            "BrokerArn": broker.arn,
            "BrokerId": broker.id,
            "BrokerName": broker.name,
            "BrokerState": broker.state,
            "Created": datetime.fromtimestamp(int(self.world.kernel.epoch + broker.created), UTC),
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
        self.engines[broker.id].reboot()
        self.world.kernel.after(self.world.quotas["mq.reboot_time"], self._rebooted, broker)

    def _rebooted(self, broker: Broker) -> None:
        if broker.state == "REBOOT_IN_PROGRESS":
            broker.state = "RUNNING"
            broker.emit("BrokerRunning")

    def _deleted(self, broker: Broker) -> None:
        for host in broker.hosts:
            network_of(self.world.kernel).power_off(host.name)
        broker.emit("BrokerDeleted")
        del self.brokers[broker.id], self.engines[broker.id]


def _user(given: Document) -> User:
    return User(given["Username"], given["Password"], given.get("ConsoleAccess", False), tuple(given.get("Groups", ())))
