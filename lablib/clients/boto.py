"""boto3's face on the front door. Only this file and `sessions.py` import boto3 and botocore.

`make_client` returns a real boto3 client: its methods, paginators, exceptions, and botocore's own parameter validation.
Only `_make_api_call` is ours, in a base class inserted at botocore's documented `creating-client-class` event; every
generated method ends there. Dispatch is a table made from names, so there is no code for single operations.

Nothing can reach AWS: the credentials are made up, configuration files and the environment are not read, and a client
has no endpoint to talk to.

Building a client from its model takes botocore some 50 ms, so one is built for each service and region; every client is
a shallow copy of it that knows its own door and has its own configuration.
"""

from __future__ import annotations

import copy
import difflib
import inspect
import re
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from email.utils import formatdate
from functools import cache, lru_cache, partial, wraps
from typing import Any

import boto3.session
import botocore.exceptions
from botocore import xform_name
from botocore.awsrequest import AWSResponse, prepare_request_dict
from botocore.client import ClientMeta
from botocore.config import Config
from botocore.handlers import handle_copy_source_param, json_decode_policies
from botocore.hooks import EventAliaser, HierarchicalEmitter
from botocore.utils import parse_to_aware_datetime
from botocore.validate import ParamValidator

from lablib.aws.service import NotSimulated, Principal, Service, ServiceError
from lablib.clients.events import listening
from lablib.clients.retries import backoff, may_retry
from lablib.clients.rules import Unsure, as_sent, misfit, rule
from lablib.clients.sessions import LabSession, deaf_core
from lablib.gateway import AnswerLost, Gateway
from lablib.kernel import Chance, Kernel, Trace
from lablib.kernel.stacks import unsimulated

ParamValidationError = botocore.exceptions.ParamValidationError

_VALIDATOR = ParamValidator()
_Emitter = listening(HierarchicalEmitter)
# The mode of each edition, and how often each mode tries at most (botocore user guide, "Retries").
_MODES = {"2023": "legacy", "today": "standard"}
_ATTEMPTS = {"legacy": 5, "standard": 3, "adaptive": 3}


class Door:
    """What a client needs of its cloud. `caller` tells who calls: a function without arguments."""

    def __init__(
        self, kernel: Kernel, gateway: Gateway, trace: Trace, chance: Chance, caller: Callable[[], str], strict: bool
    ) -> None:
        self.kernel = kernel
        self.call = gateway.call
        self.rows = trace.details
        self.stream = chance.stream
        self.caller = caller
        self.strict = strict
        self.request_prefix = f"{chance.seed & 0xFFFFFFFF:08x}-0000-4000-a000-"
        self._date, self._next_second = "", 0.0

    def headers(self, names: tuple[str, ...], id: str) -> dict[str, str]:
        """The headers of an answer: its date, and the request's id under these names."""
        kernel = self.kernel
        if kernel.now >= self._next_second:
            self._next_second = int(kernel.now) + 1.0  # a run begins with a whole second
            self._date = formatdate(int(kernel.epoch + kernel.now), usegmt=True)
        if len(names) == 1:
            return {names[0]: id, "date": self._date}
        return {**dict.fromkeys(names, id), "date": self._date}


class _Operation:
    """One row of the dispatch table: the model's shapes, and for each parameter its spelling in Python and its rule."""

    __slots__ = (
        "asked_anyway", "body", "copies", "decode", "input_shape", "members", "missing", "model", "name",
        "output_shape", "required", "said_anyway", "streamed",
    )  # fmt: skip

    def __init__(self, model: Any, service: Service) -> None:
        self.name = xform_name(model.name)
        self.model = model
        self.missing, quirks = service.missing_parameter, service.quirks
        self.input_shape: Any = model.input_shape
        self.output_shape: Any = model.output_shape
        members = model.input_shape.members if model.input_shape else {}
        self.members = {name: (xform_name(name), *rule(member)) for name, member in members.items()}
        self.required = frozenset(model.input_shape.required_members if model.input_shape else ())
        answers = model.output_shape.members if model.output_shape else {}
        self.streamed = next((name for name, member in answers.items() if "eventstream" in member.serialization), "")
        self.said_anyway = {name: value for name, value in service.said_anyway.items() if name in answers}
        anyway = {} if "CopySource" in members else service.asked_anyway  # a copy to itself asks for a change by them
        self.asked_anyway = {name: value for name, value in anyway.items() if name in members}
        self.decode = partial(json_decode_policies, model=model) if "policies are documents" in quirks else None
        self.copies = "copy sources are documents" in quirks and "CopySource" in members
        self.body = model.input_shape.serialization.get("payload", "") if model.has_streaming_input else ""

    def parameters(self, given: dict[str, Any], validated: bool) -> dict[str, Any]:
        """The parameters in Python's spelling, and copies of their documents. Raises ParamValidationError with
        botocore's report when they are wrong; when they are not `validated`, ServiceError as the service would.

        Most calls are right, and botocore's validator, which collects a report, costs more than all the rest of a call.
        So it is asked only when our quick test, which says yes only to what it would accept, does not say yes.
        """
        members, params = self.members, {}
        if self.asked_anyway:
            asked = self.asked_anyway
            given = {name: value for name, value in given.items() if name not in asked or asked[name] != value}
        if self.copies:
            given = dict(given)
            handle_copy_source_param(given)
        try:
            if not given.keys() >= self.required:
                raise Unsure
            for name, value in given.items():
                spelling, kind, copied = members[name]
                if value.__class__ is not kind:
                    raise Unsure
                params[spelling] = value if copied is None else copied(value)
        except (KeyError, Unsure):
            shape = self.input_shape
            if shape is not None and not validated:
                given = {name: value for name, value in given.items() if name in members}
            report = _VALIDATOR.validate(given, shape) if shape else None
            if report and report.has_errors():
                if validated:
                    raise ParamValidationError(report=report.generate_report()) from None
                raise self._refusal(given, report.generate_report()) from None
            sent = partial(as_sent, dated=parse_to_aware_datetime)
            return {members[name][0]: sent(value, shape.members[name]) for name, value in given.items()}
        return params

    def _refusal(self, given: dict[str, Any], report: str) -> ServiceError:
        """What a service says to parameters that nobody validated (Config(parameter_validation=False)): of missing
        ones AWS's texts are known, and the form of other texts is ours."""
        absent = sorted(self.required - given.keys())
        inner = re.search(r'Missing required parameter in ([^:]+): "(\w+)"', report)
        if absent or inner:
            return self.missing(absent[0] if inner is None or absent else f"{inner[1]}.{inner[2]}")
        return ServiceError("SerializationException", report.partition("\n")[0])


class EventStream:
    """The events of a streaming operation, as boto3 gives them: iterate over it, `close()` it.

    An error of the service that comes instead of an event is raised as botocore's EventStreamError.
    """

    def __init__(self, source: Any, error: Callable[[ServiceError, str], Exception], operation: str) -> None:
        self._source = source
        self._error = error
        self._operation = operation

    def __iter__(self) -> Iterator[dict[str, Any]]:
        try:
            yield from self._source
        except ServiceError as problem:
            raise self._error(problem, self._operation) from None

    def close(self) -> None:
        """End it: no more events come."""
        self._source.close()


class SimulatedClient:
    """The base class that makes a boto3 client a simulated one."""

    _door: Door
    _service: Service
    _read_timeout: float | None
    _principal: Principal | None
    _validated: bool
    _listened: Any
    _names_of_ids: tuple[str, ...]
    _serializer: Any
    _table: dict[str, _Operation]
    _service_model: Any
    meta: Any
    exceptions: Any

    def _make_api_call(self, operation_name: str, api_params: dict[str, Any]) -> dict[str, Any]:
        operation = self._table.get(operation_name)
        if operation is None:
            model = self._service_model.operation_model(operation_name)
            operation = self._table[operation_name] = _Operation(model, self._service)
        if self._listened.used:
            return self._call_with_events(operation, api_params)
        return self._call(operation, api_params)

    def _call_with_events(self, operation: _Operation, params: dict[str, Any]) -> dict[str, Any]:
        """A call of which handlers hear: they see, and may change, the parameters; they see a request that is made up
        for them, may answer it themselves, and see the answer. (botocore's order: BaseClient._make_api_call.)"""
        emit, model, context = self.meta.events.emit, operation.model, {"client_config": self.meta.config}
        name = f"{self._service_model.service_id.hyphenize()}.{model.name}"
        replies = emit(f"provide-client-params.{name}", params=params, model=model, context=context)
        params = next((reply for _, reply in replies if reply is not None), params)
        emit(f"before-parameter-build.{name}", params=params, model=model, context=context)
        operation.parameters(params, self._validated)
        request = self._serializer.serialize_to_request(params, model)
        prepare_request_dict(request, self.meta.endpoint_url, context)
        replies = emit(f"before-call.{name}", model=model, params=request, request_signer=None, context=context)
        own = next((reply for _, reply in replies if reply is not None), None)
        problem, answer = None, own[1] if own else None
        if answer is None:
            try:
                answer = self._call(operation, params)
            except botocore.exceptions.ClientError as error:
                problem, answer = error, error.response
        status = answer["ResponseMetadata"]["HTTPStatusCode"] if not own else own[0].status_code
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        http = own[0] if own else AWSResponse(request["url"], status, headers, None)
        emit(f"after-call.{name}", http_response=http, parsed=answer, model=model, context=context)
        if own and status >= 300:
            code = answer.get("Error", {}).get("Code")
            problem = self.exceptions.from_code(code)(answer, model.name)
        if problem:
            raise problem
        return answer

    def _call(self, operation: _Operation, api_params: dict[str, Any]) -> dict[str, Any]:
        operation_name = operation.model.name
        try:
            params = operation.parameters(api_params, self._validated)
        except ServiceError as problem:
            raise self._error(problem, operation_name, 0) from None
        if operation.body and hasattr(api_params.get(operation.body), "signal_transferring"):
            api_params[operation.body].signal_transferring()  # boto3's transfers: now it is read to be sent, so count
        door = self._door
        caller = door.caller()
        attempt = 1
        while True:
            try:
                answer = door.call(
                    caller, self._service, operation.name, params, operation_name, self._read_timeout, self._principal
                )
                break
            except (ServiceError, AnswerLost) as problem:
                retries = self.meta.config.retries
                if attempt >= retries["total_max_attempts"] or not may_retry(retries["mode"], problem):
                    raise self._error(problem, operation_name, attempt - 1) from None
                door.kernel.sleep(backoff(retries["mode"], attempt, problem, door.stream(caller).random()))
                attempt += 1
        if door.strict:
            self._check_answer(answer, operation)
        if operation.decode is not None:
            operation.decode(answer)
        if operation.said_anyway:
            answer = operation.said_anyway | answer
        if operation.streamed:
            source = answer[operation.streamed]
            answer = answer | {operation.streamed: EventStream(source, self._failed_stream, operation_name)}
        answer["ResponseMetadata"] = self._metadata(200, attempt - 1)
        return answer

    def _error(self, problem: ServiceError | AnswerLost, operation_name: str, retries: int) -> Exception:
        if isinstance(problem, AnswerLost):
            return botocore.exceptions.ReadTimeoutError(endpoint_url=self.meta.endpoint_url)
        about: dict[str, Any] = {"Message": problem.message, "Code": problem.code, **problem.details}
        response: dict[str, Any] = {"Error": about, "ResponseMetadata": self._metadata(problem.status, retries)}
        metadata, who = self._service_model.metadata, "Sender" if problem.sender_fault else "Receiver"
        if "awsQueryCompatible" in metadata:
            about |= {"QueryErrorCode": problem.shape, "Type": who}
        elif metadata["protocol"] == "query":
            about["Type"] = who
        if "json" in metadata["protocol"]:  # its errors are documents, whose fields botocore shows too
            shape = self._service_model.shape_for_error_code(problem.shape)
            for name in shape.members if shape else ():
                if name.lower() == "message":
                    response[name] = problem.message
                elif name == "Type":
                    response[name] = "User" if problem.sender_fault else "Service"
        error: Exception = self.exceptions.from_code(problem.shape)(response, operation_name)
        return error

    def _failed_stream(self, problem: ServiceError, operation_name: str) -> Exception:
        error = {"Error": {"Code": problem.code, "Message": problem.message}}
        return botocore.exceptions.EventStreamError(error, operation_name)

    def _metadata(self, status: int, retries: int) -> dict[str, Any]:
        door = self._door
        id = f"{door.request_prefix}{len(door.rows):012x}"
        return {
            "RequestId": id,
            "HTTPStatusCode": status,
            "HTTPHeaders": door.headers(self._names_of_ids, id),
            "RetryAttempts": retries,
        }

    def _check_answer(self, answer: dict[str, Any], operation: _Operation) -> None:
        """Strict mode: AWS's own model of the answer is our conformance test."""
        if operation.output_shape is None:
            problem = f"an answer where AWS gives none: {answer}" if answer else ""
        else:
            if operation.streamed:  # its events come later, one by one
                return
            shape = operation.output_shape
            lists: dict[str, Any] = {
                name: [] for name in shape.required_members if shape.members[name].type_name == "list"
            }
            report = _VALIDATOR.validate(lists | answer, shape).generate_report()
            # AWS itself leaves out empty lists that its model requires, and answers with empty lists and zeros where
            # its model has a least length or number.
            problem = "\n".join(line for line in report.splitlines() if "value: 0, valid min" not in line)
            problem = problem or misfit(answer, shape)
        if problem:
            raise AssertionError(f"the simulated {operation.name} does not answer as AWS does: {problem}")

    def close(self) -> None:
        """Nothing is open."""

    def _make_request(self, *_: Any) -> None:
        raise AssertionError("a simulated client never sends a request")

    def get_waiter(self, waiter_name: str) -> Any:
        """botocore's waiter. At the top of a cell it waits in virtual time too: it runs as a process."""
        waiter = super().get_waiter(waiter_name)  # type: ignore[misc]
        kernel, wait = self._door.kernel, waiter.wait

        def virtual_wait(**params: Any) -> None:
            if kernel.current:
                wait(**params)
            else:
                kernel.wait(kernel.spawn(lambda: wait(**params), name=f"waiter {waiter_name}").done)

        waiter.wait = virtual_wait
        return waiter


_lock = threading.RLock()


@cache
def _session() -> LabSession:
    """One session for the process, deaf to the environment and to configuration files."""
    core = deaf_core()
    core.set_credentials("simulated", "simulated")
    core.register("creating-client-class", _insert_base)
    return LabSession(botocore_session=core, region_name="us-east-1")


def _insert_base(base_classes: list[type], **_: Any) -> None:
    base_classes.insert(0, SimulatedClient)


@lru_cache(maxsize=32)  # of the services and regions that were used last
def _template(service: str, region: str) -> Any:
    client = _session().client(service, region_name=region, config=Config(ignore_configured_endpoint_urls=True))
    client._endpoint = None
    client._table = {}
    return client


def check_arguments(what: str, given: Collection[str], ours: Sequence[str]) -> None:
    """Raise TypeError for an argument that neither boto3's `client` nor ours has."""
    if not given:
        return
    known = [*list(inspect.signature(boto3.session.Session.client).parameters)[1:], *ours]
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            guess = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}"
            raise TypeError(f"{what}() has no argument {name!r}; {guess}")


def make_client(
    door: Door,
    service: Service,
    region: str,
    edition: str,
    config: Config | None = None,
    principal: Principal | None = None,
) -> Any:
    """A boto3 client of `service` whose calls go through `door`, as `principal`."""
    with _lock, unsimulated():  # built once, in whatever process: it must not draw from that one's streams
        template = _template(service.name, region)
    client = object.__new__(type(template))  # copy.copy would ask the client for __setstate__, and it for its model
    client.__dict__.update(template.__dict__)
    client.meta = _own_meta(template.meta, config, edition)
    client._door = door
    client._listened = client.meta.events._emitter
    client._validated = client.meta.config.parameter_validation
    protocol = client.meta.service_model.metadata["protocol"]
    client._names_of_ids = ("x-amz-request-id", "x-amz-id-2") if protocol == "rest-xml" else ("x-amzn-requestid",)
    for name in ("generate_presigned_url", "generate_presigned_post"):
        if hasattr(client, name):
            setattr(client, name, _no_presigned)
    client._service = service
    client._principal = principal
    client._read_timeout = client.meta.config.read_timeout
    for name in service.quirks.get("transfers without threads", ()):
        setattr(client, name, _without_threads(getattr(client, name)))
    return client


def _own_meta(meta: Any, config: Config | None, edition: str) -> Any:
    """A client's own `meta`, with its own configuration: what a program changes in it is no other client's."""
    own = copy.deepcopy(meta.config.merge(config) if config else meta.config)
    retries = dict((config and config.retries) or {})
    retries.setdefault("mode", _MODES[edition])
    more = retries.pop("max_attempts", None)  # botocore's word for the attempts after the first
    if "total_max_attempts" not in retries:
        retries["total_max_attempts"] = _ATTEMPTS[retries["mode"]] if more is None else more + 1
    own.retries = retries
    mapping, events = meta.method_to_api_mapping, EventAliaser(_Emitter())
    return ClientMeta(events, own, meta.endpoint_url, meta.service_model, mapping, meta.partition)


def _no_presigned(*_: Any, **__: Any) -> Any:
    raise NotSimulated("presigned URLs are not simulated: nobody could call one. Call the operation with a client.")


def _without_threads(transfer: Callable[..., Any]) -> Callable[..., Any]:
    """A transfer that does all in the thread that calls: a cloud belongs to one thread."""
    from boto3.s3.transfer import TransferConfig

    @wraps(transfer)
    def call(*args: Any, Config: Any = None, **more: Any) -> Any:
        config = copy.copy(Config) if Config else TransferConfig()
        config.use_threads = False
        return transfer(*args, Config=config, **more)

    return call


def make_resource(client: Callable[..., Any], name: str, **arguments: Any) -> Any:
    """boto3's resource `name`, on clients that `client(name, **arguments)` makes."""
    session = copy.copy(_session())
    session.lab_client = client
    return session.resource(name, **arguments)
