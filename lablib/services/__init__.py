"""The simulated services: state machines in AWS's words, named as boto3 names them, and where to find them.

A service is a module or a package of this folder with one class derived from `Service`; none imports another. AWS
gives some services more than one API, each with a client of its own; these live in one package, a class for each.
"""

from __future__ import annotations

import difflib
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module

from lablib.aws.quotas import GENERAL, Edition, Quota, Values
from lablib.aws.service import NotSimulated, Service

# The further APIs of a service, by boto3's names: they are about the same resources, so they live with it.
_LIVES_WITH = {
    "kinesis-video-media": "kinesisvideo",
    "kinesis-video-archived-media": "kinesisvideo",
    "redshift-data": "redshift",
}

# What a cloud offers of single services, by what it is for: the way in, the gateway and the clients know no name.
PROVIDERS = {"roles": "iam", "functions": "lambda", "jobs": "kinesisanalyticsv2"}


@cache
def names() -> tuple[str, ...]:
    """The names of all services. A module whose name Python keeps for itself ends with an underscore."""
    modules = [module.name.rstrip("_") for module in pkgutil.iter_modules(__path__)]
    return (*modules, *(name for name, home in _LIVES_WITH.items() if home in modules))


@cache
def find(name: str) -> type[Service]:
    """The class of the service with that name. Raises NotSimulated when there is none."""
    modules = {module.name.rstrip("_"): module.name for module in pkgutil.iter_modules(__path__)}
    if name not in names():
        raise NotSimulated(f"service {name!r} is not simulated. This lab simulates: {', '.join(names())}")
    module = import_module(f"{__name__}.{modules[_LIVES_WITH.get(name, name)]}")
    classes = [c for c in vars(module).values() if isinstance(c, type) and issubclass(c, Service) and c is not Service]
    return max(
        (c for c in classes if getattr(c, "name", "") == name), key=lambda c: len(c.__mro__)
    )  # not one that it derives from


# ---- quotas ----------------------------------------------------------------------------------------------------------


def quotas(*services: str) -> dict[str, Quota]:
    """The quotas and prices of these services by name; of all when none is named. "api": what they have in common."""
    return {
        quota.name: quota
        for service in services or ("api", *names())
        for quota in (GENERAL if service == "api" else find(service).quotas)
    }


def quota(name: str) -> Quota:
    """The quota with that name, such as "sqs.message_size". Raises ValueError when there is none."""
    service = name.partition(".")[0]
    found = quotas(service).get(name) if service in ("api", *names()) else None
    if found is None:
        assumable = [one.name for one in quotas().values() if one.assumed]
        near = difflib.get_close_matches(name, assumable, 3, 0.4) or assumable
        raise ValueError(f"assume: no quota is called {name!r}; near it: {', '.join(near)}")
    return found


def quota_values(edition: Edition = "2023", assume: Mapping[str, float] | None = None) -> Values:
    """The values of one edition, with the assumptions in `assume` laid over them. Raises ValueError."""
    return Values(edition, assume or {}, quota)
