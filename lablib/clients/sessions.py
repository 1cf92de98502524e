"""Sessions of boto3 and botocore: those of the clients of clouds, and what the libraries' own are inside a process.

Learners paste programs that make sessions and clients by themselves. Inside a process these are of the process's cloud,
and deaf: no variables, no files of this machine and no profiles are read. A region and credentials count that the
program gives.
"""

from __future__ import annotations

import inspect
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
from botocore.credentials import Credentials

from lablib.clients.events import FIRED, check_event
from lablib.kernel.programs import Program, program_of
from lablib.kernel.stacks import current_process

_real_init = botocore.session.Session.__init__
_real_create = botocore.session.Session.create_client
_ARGUMENTS = list(inspect.signature(_real_create).parameters)[2:]


def deaf_core() -> Any:
    """A session of botocore, deaf to the environment and to configuration files: its settings are constants, but for
    those that are set on it."""
    core = botocore.session.Session()
    _deafen(core)
    return core


def _deafen(core: Any) -> None:
    values = {name: value for name, (_, _, value, _) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()}
    values |= dict.fromkeys(("config_file", "credentials_file"), os.devnull)
    settings = {
        name: ChainProvider([InstanceVarProvider(name, core), ConstantProvider(value)])
        for name, value in values.items()
    }
    core.register_component("config_store", ConfigValueStore(mapping=settings))
    core.register_component("credential_provider", _Found)


class _Found:
    """Where a session looks for credentials that it was not given: made-up ones, and nothing of this machine."""

    @staticmethod
    def load_credentials() -> Credentials:
        return Credentials("simulated", "simulated", method="simulated")


class LabSession(boto3.session.Session):
    """boto3's session, with clients that come from a cloud; `resource` builds on them."""

    lab_client: Callable[..., Any] | None = None

    def client(self, service_name: str, *args: Any, **kwargs: Any) -> Any:
        if self.lab_client is None:
            return super().client(service_name, *args, **kwargs)
        return self.lab_client(service_name, **kwargs)


@wraps(_real_create)
def _client_of_the_cloud(self: Any, service_name: str, *args: Any, **kwargs: Any) -> Any:
    """`create_client` of botocore's session, on which boto3's stands: inside a process, a client of its cloud."""
    process = current_process()
    make = None if process is None else process.kernel.make_client
    if make is None:
        return _real_create(self, service_name, *args, **kwargs)
    kwargs.update(zip(_ARGUMENTS, args))
    if kwargs.get("use_ssl") is None:
        kwargs.pop("use_ssl", None)
    given = self._credentials  # never looked for: only those that the program gave
    if given is not None and kwargs.get("aws_access_key_id") is None:
        kwargs["aws_access_key_id"] = given.access_key
    given_region = self.instance_variables().get("region")  # not that of this machine's files and variables
    client = make(service_name, kwargs.pop("region_name", None) or given_region, **kwargs)
    for how, event, given_args, given_kwargs in getattr(self, "_lab_handlers", ()):
        getattr(client.meta.events, how)(event, *given_args, **given_kwargs)
    # A library may add to the class of its clients (amazon-sqs-extended-client).
    kind, bases = type(client), [type(client)]
    attributes = {name: getattr(kind, name) for name in client.meta.method_to_api_mapping}
    event = f"creating-client-class.{client.meta.service_model.service_id.hyphenize()}"
    self.get_component("event_emitter").emit(event, class_attributes=attributes, base_classes=bases)
    client.__class__ = type(kind.__name__, tuple(bases), attributes)
    return client


@wraps(_real_init)
def _deaf_session(self: Any, *args: Any, **kwargs: Any) -> None:
    """A session that is made inside a process is deaf. The profile of who wrote the program is not looked for."""
    _real_init(self, *args, **kwargs)
    if current_process() is not None:
        self._session_instance_vars.pop("profile", None)
        _deafen(self)
        self._lab_handlers = _kept(self._events)


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


botocore.session.Session.__init__ = _deaf_session
botocore.session.Session.create_client = _client_of_the_cloud
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
