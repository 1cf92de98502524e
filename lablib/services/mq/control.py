"""The operations of Amazon MQ on what belongs to brokers: users, configurations, tags, and what may be chosen.

Changes of ActiveMQ's users and of a broker's configuration wait for its next reboot or maintenance window (developer
guide). A configuration is kept with its revisions; this lab's brokers do not read what stands in it.
"""

from __future__ import annotations

import base64
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from typing import Any

from lablib.aws.lists import Tags, whole_number
from lablib.aws.service import Request, Service, World
from lablib.services.mq.checks import SIZES, bad_request, check_password, check_user, described, not_found, page
from lablib.services.mq.engine import Broker, Document, Engine, User


def engine_class(engine_type: str) -> type[Engine]:
    """The class of an engine, loaded when it is needed. Raises BadRequestException."""
    if engine_type == "ACTIVEMQ":
        from lablib.services.mq.activemq import ActiveMq

        return ActiveMq
    if engine_type == "RABBITMQ":
        from lablib.services.mq.rabbitmq import RabbitMq

        return RabbitMq
    raise bad_request(f"Broker engine type [{engine_type}] is invalid. Valid values are: [ACTIVEMQ, RABBITMQ]")


_DEFAULT = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<broker xmlns="http://activemq.apache.org/schema/core"/>'
)


@dataclass(eq=False)
class Configuration:
    """A configuration: its revisions are (when, data in base64, description), the first one first."""

    id: str
    name: str
    arn: str
    engine_type: str
    version: str
    revisions: list[tuple[float, str, str]] = field(default_factory=list)
    tags: Tags = field(default_factory=Tags)


class Control(Service):
    """See the module."""

    name = "mq"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.brokers: dict[str, Broker] = {}
        self.engines: dict[str, Engine] = {}  # by the broker's id
        self.configurations: dict[str, Configuration] = {}
        self._prices: list[tuple[float, str, float]] = world.shared.setdefault("mq/prices", [])  # see `bill`
        self.rules: dict[str, frozenset[str]] = {}  # whom a security group lets in

    def _broker(self, id: str) -> Broker:
        if id not in self.brokers:
            raise not_found("broker", id)
        return self.brokers[id]

    def _plan(self, broker: Broker, what: str, change: Any) -> None:
        """A change that waits for the next reboot or maintenance window."""
        raise NotImplementedError

    # ---- users -------------------------------------------------------------------------------------------------------

    def _changeable(self, id: str) -> Broker:
        broker = self._broker(id)
        if broker.engine_type == "RABBITMQ":
            raise bad_request("To manage broker users, please use the RabbitMQ web console, or the management API.")
        return broker

    def _user(self, broker: Broker, name: str) -> User:
        pending = broker.planned_users.get(name)
        if pending is not None:
            return pending
        if name not in broker.users:
            raise not_found("user", name)
        return broker.users[name]

    def create_user(
        self,
        request: Request,
        *,
        broker_id: str,
        username: str,
        password: str,
        console_access: bool = False,
        groups: list[str] | None = None,
        replication_user: bool = False,
    ) -> Document:
        broker = self._changeable(broker_id)
        given = {"Username": username, "Password": password, "ConsoleAccess": console_access}
        user = check_user(given | {"Groups": groups or [], "ReplicationUser": replication_user})
        if username in {**broker.users, **broker.planned_users}:
            raise bad_request(f"User [{username}] already exists.")
        broker.planned_users[username] = user
        self._plan(broker, "users", None)
        return {}

    def update_user(
        self,
        request: Request,
        *,
        broker_id: str,
        username: str,
        password: str | None = None,
        console_access: bool | None = None,
        groups: list[str] | None = None,
    ) -> Document:
        broker = self._changeable(broker_id)
        old = self._user(broker, username)
        if password is not None:
            check_password(password)
        broker.planned_users[username] = User(
            username,
            old.password if password is None else password,
            old.console if console_access is None else console_access,
            old.groups if groups is None else tuple(groups),
        )
        self._plan(broker, "users", None)
        return {}

    def delete_user(self, request: Request, *, broker_id: str, username: str) -> Document:
        broker = self._changeable(broker_id)
        self._user(broker, username)
        broker.planned_users[username] = None
        self._plan(broker, "users", None)
        return {}

    def describe_user(self, request: Request, *, broker_id: str, username: str) -> Document:
        broker = self._broker(broker_id)
        answer = described(broker.users.get(username) or self._user(broker, username), broker)
        if username in broker.planned_users:
            user = broker.planned_users[username]
            more = {"ConsoleAccess": user.console, "Groups": list(user.groups)} if user else {}
            answer["Pending"] = {"PendingChange": broker.pending_change(username), **more}
        return answer

    def list_users(
        self, request: Request, *, broker_id: str, max_results: int | None = None, next_token: str | None = None
    ) -> Document:
        users, more = page(self._broker(broker_id).user_summaries(), max_results, next_token)
        return {"BrokerId": broker_id, "Users": users, **more}

    # ---- configurations ----------------------------------------------------------------------------------------------

    def create_configuration(
        self,
        request: Request,
        *,
        engine_type: str,
        name: str,
        engine_version: str | None = None,
        authentication_strategy: str = "SIMPLE",
        tags: dict[str, str] | None = None,
    ) -> Document:
        version = engine_version or engine_class(engine_type).default_version(self.world)
        id = f"c-{self.world.chance.uuid('configurations')}"
        made = Configuration(id, name, self.arn(f"configuration:{id}"), engine_type, version, tags=Tags(tags or {}))
        text = f"Auto-generated default for {name} on {engine_type} {version}"
        data = _DEFAULT if engine_type == "ACTIVEMQ" else ""
        made.revisions.append((self.now, base64.b64encode(data.encode()).decode(), text))
        self.configurations[id] = made
        return self._summary_of(made, "Arn", "Created", "Id", "LatestRevision", "Name", "AuthenticationStrategy")

    def _configuration(self, id: str) -> Configuration:
        if id not in self.configurations:
            raise not_found("configuration", id)
        return self.configurations[id]

    def _summary_of(self, made: Configuration, *wanted: str) -> Document:
        all_of_it = {
            "Arn": made.arn, "AuthenticationStrategy": "SIMPLE", "Created": self.date(made.revisions[0][0]),
            "Description": made.revisions[-1][2], "EngineType": made.engine_type, "EngineVersion": made.version,
            "Id": made.id, "LatestRevision": self._revision(made, len(made.revisions)), "Name": made.name,
            "Tags": dict(made.tags),
        }  # fmt: skip
        return {key: value for key, value in all_of_it.items() if not wanted or key in wanted}

    def _revision(self, made: Configuration, number: int) -> Document:
        if not 1 <= number <= len(made.revisions):
            raise not_found("configuration", f"{made.id}, revision {number}")
        when, _, text = made.revisions[number - 1]
        return {"Created": self.date(when), "Description": text, "Revision": number}

    def describe_configuration(self, request: Request, *, configuration_id: str) -> Document:
        return self._summary_of(self._configuration(configuration_id))

    def list_configurations(
        self, request: Request, *, max_results: int | None = None, next_token: str | None = None
    ) -> Document:
        found, more = page(list(self.configurations.values()), max_results, next_token)
        return {"Configurations": [self._summary_of(made) for made in found], "MaxResults": max_results or 100, **more}

    def update_configuration(
        self, request: Request, *, configuration_id: str, data: str, description: str = ""
    ) -> Document:
        made = self._configuration(configuration_id)
        try:
            text = base64.b64decode(data, validate=True)
            if made.engine_type == "ACTIVEMQ":
                ElementTree.fromstring(text)
        except (ValueError, LookupError, ElementTree.ParseError) as error:
            raise bad_request(f"Configuration data is invalid: {error}.") from None
        made.revisions.append((self.now, data, description))
        return self._summary_of(made, "Arn", "Created", "Id", "LatestRevision", "Name") | {"Warnings": []}

    def describe_configuration_revision(
        self, request: Request, *, configuration_id: str, configuration_revision: str
    ) -> Document:
        made = self._configuration(configuration_id)
        number = whole_number(configuration_revision)
        revision = self._revision(made, number)
        return {
            "ConfigurationId": made.id,
            "Created": revision["Created"],
            "Data": made.revisions[number - 1][1],
            "Description": revision["Description"],
        }

    def list_configuration_revisions(
        self,
        request: Request,
        *,
        configuration_id: str,
        max_results: int | None = None,
        next_token: str | None = None,
    ) -> Document:
        made = self._configuration(configuration_id)
        numbers, more = page(list(range(1, len(made.revisions) + 1)), max_results, next_token)
        listed = [self._revision(made, number) for number in numbers]
        return {"ConfigurationId": made.id, "MaxResults": max_results or 100, "Revisions": listed, **more}

    # ---- tags --------------------------------------------------------------------------------------------------------

    def _tagged(self, arn: str) -> Tags:
        known = {b.arn: b.tags for b in self.brokers.values()} | {c.arn: c.tags for c in self.configurations.values()}
        if arn in known:
            return known[arn]
        raise not_found("resource", arn)

    def create_tags(self, request: Request, *, resource_arn: str, tags: dict[str, str] | None = None) -> Document:
        self._tagged(resource_arn).add(tags or {}, 50, bad_request("A resource can have 50 tags at the most."))
        return {}

    def delete_tags(self, request: Request, *, resource_arn: str, tag_keys: list[str]) -> Document:
        self._tagged(resource_arn).remove(tag_keys)
        return {}

    def list_tags(self, request: Request, *, resource_arn: str) -> Document:
        return {"Tags": dict(self._tagged(resource_arn))}

    # ---- what may be chosen ------------------------------------------------------------------------------------------

    def describe_broker_engine_types(
        self,
        request: Request,
        *,
        engine_type: str | None = None,
        max_results: int | None = None,
        next_token: str | None = None,
    ) -> Document:
        kinds = [engine_type] if engine_type else ["ACTIVEMQ", "RABBITMQ"]
        found = [
            {"EngineType": kind, "EngineVersions": [{"Name": version} for version in engine_class(kind).versions]}
            for kind in kinds
        ]
        return {"BrokerEngineTypes": found, "MaxResults": max_results or 100}

    def describe_broker_instance_options(
        self,
        request: Request,
        *,
        engine_type: str | None = None,
        host_instance_type: str | None = None,
        storage_type: str | None = None,
        max_results: int | None = None,
        next_token: str | None = None,
    ) -> Document:
        options = []
        for kind in ("ACTIVEMQ", "RABBITMQ"):
            engine = engine_class(kind)
            for size in SIZES:
                for storage in ("EFS", "EBS") if kind == "ACTIVEMQ" else ("EBS",):
                    if storage == "EBS" and kind == "ACTIVEMQ" and not size.startswith("mq.m5"):
                        continue
                    single = storage == "EBS" and kind == "ACTIVEMQ"
                    options.append({
                        "AvailabilityZones": [{"Name": f"{self.world.region}{zone}"} for zone in "abc"],
                        "EngineType": kind, "HostInstanceType": size, "StorageType": storage,
                        "SupportedDeploymentModes": ["SINGLE_INSTANCE"] if single else list(engine.modes),
                        "SupportedEngineVersions": list(engine.versions),
                    })  # fmt: skip
        wanted = {"EngineType": engine_type, "HostInstanceType": host_instance_type, "StorageType": storage_type}
        fitting = [o for o in options if all(value in (None, o[key]) for key, value in wanted.items())]
        found, more = page(fitting, max_results, next_token)
        return {"BrokerInstanceOptions": found, "MaxResults": max_results or 100, **more}
