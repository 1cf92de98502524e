"""What Amazon MQ accepts, and the words in which it refuses the rest.

Constraints: API reference (2017-11-27). Texts known from reports of users are marked so in the tests; the others are
ours.
"""

from __future__ import annotations

import re
from typing import Any

from lablib.aws.lists import whole_number
from lablib.aws.service import ServiceError
from lablib.services.mq.engine import Broker, Document, Engine, User

SIZES = (
    "mq.t2.micro", "mq.t3.micro", "mq.m4.large", "mq.m5.large", "mq.m5.xlarge", "mq.m5.2xlarge", "mq.m5.4xlarge",
    "mq.m7g.medium", "mq.m7g.large", "mq.m7g.xlarge", "mq.m7g.2xlarge", "mq.m7g.4xlarge",
)  # fmt: skip
_BROKER_NAME = re.compile(r"[A-Za-z0-9_-]{1,50}")
_USER_NAME = re.compile(r"[A-Za-z0-9_.~-]{2,100}")
_DAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def bad_request(text: str) -> ServiceError:
    """What most refusals are."""
    return ServiceError("BadRequestException", text)


def not_found(what: str, which: str) -> ServiceError:
    """There is no such broker, user, configuration."""
    text = f"Can't find requested {what} [{which}]. Make sure your {what} exists."
    return ServiceError("NotFoundException", text, status=404)


def check_broker(name: str, kind: type[Engine], engine: str, mode: str, version: str, size: str, storage: str,
                 subnets: list[str] | None) -> None:  # fmt: skip
    """Raise BadRequestException for a broker that cannot be."""
    if not _BROKER_NAME.fullmatch(name):
        raise bad_request(
            f"Broker name [{name}] is invalid. Use 1-50 alphanumeric characters, dashes and underscores, and no others."
        )
    if mode not in kind.modes:
        raise bad_request(
            f"Deployment mode [{mode}] is invalid for {engine}. Valid values are: [{', '.join(kind.modes)}]"
        )
    if not any(version == known or known.startswith(f"{version}.") for known in kind.versions):
        raise bad_request(
            f"Broker engine version [{version}] is invalid. Valid values are: [{', '.join(kind.versions)}]"
        )
    if size not in SIZES:
        raise bad_request(f"Host instance type [{size}] is invalid. Valid values are: [{', '.join(SIZES)}]")
    if storage not in ("EBS", "EFS") or (engine == "RABBITMQ" and storage == "EFS"):
        raise bad_request(f"Storage type [{storage}] is invalid for engine type [{engine}].")
    if storage == "EBS" and engine == "ACTIVEMQ" and (mode != "SINGLE_INSTANCE" or not size.startswith("mq.m5")):
        raise bad_request(
            f"Storage type [EBS] is not supported for deployment mode [{mode}] with instance type [{size}]: "
            "it takes SINGLE_INSTANCE and mq.m5."
        )
    if subnets is not None and mode == "SINGLE_INSTANCE" and len(subnets) != 1:
        raise bad_request(f"Specify exactly one subnet for deployment mode [{mode}].")
    if subnets is not None and mode == "ACTIVE_STANDBY_MULTI_AZ" and len(subnets) != 2:
        raise bad_request(f"Specify exactly two subnets for deployment mode [{mode}].")


def check_user(given: Document) -> User:
    """A user as CreateBroker and CreateUser take it. Raises BadRequestException."""
    name = given["Username"]
    if not _USER_NAME.fullmatch(name):
        raise bad_request("Username is invalid. Use 2-100 letters, digits, dashes, periods, underscores, tildes.")
    check_password(given["Password"])
    if given.get("ReplicationUser") and given.get("ConsoleAccess"):
        raise bad_request(
            "Replication user couldn't have console access. [replicationUser] and [consoleAccess] are mutually "
            "exclusive parameters."
        )
    groups = tuple(given.get("Groups", ()))
    if len(groups) > 20:
        raise bad_request("A user can be in 20 groups at the most.")
    return User(name, given["Password"], given.get("ConsoleAccess", False), groups)


def check_password(password: str) -> None:
    """Raise BadRequestException for a password out of rule."""
    if not 12 <= len(password) <= 250:
        raise bad_request("Password is invalid. Enter a password 12 to 250 characters long.")
    if len(set(password)) < 4:
        raise bad_request("Password is invalid. It must contain at least 4 unique characters.")
    if re.search("[,:=]", password):
        raise bad_request("Password is invalid. It must not contain commas, colons or equals signs.")


def check_window(window: Document) -> Document:
    """A weekly maintenance window. Raises BadRequestException."""
    if window["DayOfWeek"] not in _DAYS or not _TIME.fullmatch(window["TimeOfDay"]):
        raise bad_request("Maintenance window is invalid. Use a day of the week, and a time such as 03:00.")
    if window.get("TimeZone", "UTC") != "UTC":
        raise bad_request("Maintenance window: this lab knows the time zone UTC only.")
    return {"TimeZone": "UTC", **window}


def seconds_to(window: Document, epoch: float) -> float:
    """Seconds from a moment (since 1970) to the next beginning of a window. 1970 began on a Thursday."""
    hours, minutes = window["TimeOfDay"].split(":")
    begin = ((_DAYS.index(window["DayOfWeek"]) - 3) % 7) * 86_400 + int(hours) * 3600 + int(minutes) * 60
    return (begin - epoch) % (7 * 86_400)


def described(user: User, broker: Broker) -> Document:
    """A user as DescribeUser shows it."""
    return {"BrokerId": broker.id, "Username": user.name, "ConsoleAccess": user.console, "Groups": list(user.groups)}


def page(items: list[Any], max_results: int | None, next_token: str | None) -> tuple[list[Any], Document]:
    """Some of a list, and the token of the rest."""
    limit = 100 if max_results is None else max_results
    if not 1 <= limit <= 100:
        raise bad_request(f"maxResults [{limit}] is invalid. Use a number from 1 to 100.")
    start = whole_number(next_token if next_token is not None else "0")
    if start < 0:
        raise bad_request("nextToken is invalid.")
    return items[start : start + limit], {"NextToken": str(start + limit)} if start + limit < len(items) else {}
