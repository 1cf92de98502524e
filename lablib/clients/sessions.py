"""boto3's sessions: those of the clients of clouds, and what boto3's own are inside a process.

Learners paste programs that make sessions and clients by themselves. Inside a process these are of the process's cloud,
and deaf: no variables, no files of this machine and no profiles are read. A region and credentials count that the
program gives.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from typing import Any
from weakref import WeakKeyDictionary

import boto3.session
import botocore.session
from botocore.configprovider import (
    BOTOCORE_DEFAUT_SESSION_VARIABLES,
    ChainProvider,
    ConfigValueStore,
    ConstantProvider,
    InstanceVarProvider,
)

from lablib.clients.events import FIRED, check_event
from lablib.kernel.process import current_process
from lablib.kernel.programs import Program, program_of


def deaf_core() -> Any:
    """A session of botocore, deaf to the environment and to configuration files: its settings are constants, but for
    those that are set on it."""
    core = botocore.session.Session()
    values = {name: value for name, (_, _, value, _) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()}
    values |= dict.fromkeys(("config_file", "credentials_file"), os.devnull)
    settings = {
        name: ChainProvider([InstanceVarProvider(name, core), ConstantProvider(value)])
        for name, value in values.items()
    }
    core.register_component("config_store", ConfigValueStore(mapping=settings))
    return core


class LabSession(boto3.session.Session):
    """boto3's session, with clients that come from a cloud; `resource` builds on them."""

    lab_client: Callable[..., Any] | None = None

    def client(self, service_name: str, *args: Any, **kwargs: Any) -> Any:
        if self.lab_client is None:
            return super().client(service_name, *args, **kwargs)
        return self.lab_client(service_name, **kwargs)


_PlainSession = boto3.session.Session
_real_client = boto3.session.Session.client
_ARGUMENTS = (
    "api_version", "use_ssl", "verify", "endpoint_url", "aws_access_key_id", "aws_secret_access_key",
    "aws_session_token", "config",
)  # fmt: skip


@wraps(_real_client)
def _client_of_the_cloud(self: Any, service_name: str, region_name: Any = None, *args: Any, **kwargs: Any) -> Any:
    """`boto3.client` and `boto3.Session().client`: inside a process, a client of the process's cloud."""
    process = current_process()
    make = None if process is None or isinstance(self, LabSession) else process.kernel.make_client
    if make is None:
        return _real_client(self, service_name, region_name, *args, **kwargs)
    kwargs.update(zip(_ARGUMENTS, args))
    if kwargs.get("use_ssl") is None:
        kwargs.pop("use_ssl", None)
    given = getattr(self._session, "_credentials", None)  # never looked for: only those that the program gave
    if given is not None:
        kwargs.setdefault("aws_access_key_id", given.access_key)
    given_region = self._session.instance_variables().get("region")  # not that of this machine's files and variables
    client = make(service_name, region_name or given_region, **kwargs)
    for how, event, given_args, given_kwargs in getattr(self, "_lab_handlers", ()):
        getattr(client.meta.events, how)(event, *given_args, **given_kwargs)
    if type(self) is not _PlainSession:  # a library's own session may add to the class (amazon-sqs-extended-client)
        kind, bases = type(client), [type(client)]
        attributes = {name: getattr(kind, name) for name in client.meta.method_to_api_mapping}
        event = f"creating-client-class.{client.meta.service_model.service_id.hyphenize()}"
        self.events.emit(event, class_attributes=attributes, base_classes=bases)
        client.__class__ = type(kind.__name__, tuple(bases), attributes)
    return client


boto3.session.Session.client = _client_of_the_cloud
_real_init = boto3.session.Session.__init__


@wraps(_real_init)
def _deaf_session(self: Any, *args: Any, **kwargs: Any) -> None:
    """`boto3.Session(...)`: inside a process, deaf. The profile of who wrote the program is not looked for."""
    if current_process() is not None and len(args) <= 4 and kwargs.get("botocore_session") is None:
        kwargs.pop("profile_name", None)
        kwargs["botocore_session"] = deaf_core()
        _real_init(self, *args, **kwargs)
        self._lab_handlers = _kept(self.events)
    else:
        _real_init(self, *args, **kwargs)


def _kept(events: Any) -> list[tuple[str, str, Any, Any]]:
    """From now on, what is registered at these events of a session: its clients begin with it."""
    kept: list[tuple[str, str, Any, Any]] = []

    def keeping(how: str) -> Callable[..., None]:
        real = getattr(events, how)

        def register(event_name: str, *args: Any, **kwargs: Any) -> None:
            check_event(event_name)
            if event_name.partition(".")[0] in FIRED:
                kept.append((how, event_name, args, kwargs))
            real(event_name, *args, **kwargs)

        return register

    for how in ("register", "register_first", "register_last"):
        setattr(events, how, keeping(how))
    return kept


boto3.session.Session.__init__ = _deaf_session
_default_sessions: WeakKeyDictionary[Program, Any] = WeakKeyDictionary()
_real_setup, _real_default = boto3.setup_default_session, boto3._get_default_session


@wraps(_real_setup)
def _setup_default_session(**kwargs: Any) -> None:
    process = current_process()
    if process is None:
        return _real_setup(**kwargs)
    _default_sessions[program_of(process)] = boto3.Session(**kwargs)


@wraps(_real_default)
def _get_default_session() -> Any:
    """The session of `boto3.client`: that of the program, else that of the notebook."""
    process = current_process()
    if process is None:
        return _real_default()
    own = _default_sessions.get(program_of(process)) or boto3.DEFAULT_SESSION
    if own is None:
        own = _default_sessions[program_of(process)] = boto3.Session()
    return own


boto3.setup_default_session, boto3._get_default_session = _setup_default_session, _get_default_session
