"""The operations on delivery streams: make, describe, change, delete, tag, encrypt.

The texts of errors are ours where the tests do not say "reported".
"""

from __future__ import annotations

from functools import wraps
from typing import Any

from lablib.aws.arn import Arn
from lablib.aws.keys import DataKeys
from lablib.aws.lists import Tags
from lablib.aws.service import AnswerLost, Handler, NotSimulated, Request, Service, ServiceError, Target, World, named
from lablib.services.firehose.bill import Work
from lablib.services.firehose.checks import Document, argument, check, in_use
from lablib.services.firehose.settings import Destination, read_destination
from lablib.services.firehose.source import Reader
from lablib.services.firehose.stream import DeliveryStream

_DAY = 86_400.0
_FROM_STREAM = "KinesisStreamAsSource"
_KMS_ERRORS = dict.fromkeys(
    ("AccessDeniedException", "DisabledException", "KMSInvalidStateException", "NotFoundException",
     "ThrottlingException"), ("InvalidKMSResourceException", "InvalidKMSResourceException"),
)  # fmt: skip


class Control(Service):
    """Data Firehose in one region of one account."""

    name = "firehose"
    arn_parameter = "delivery_stream_name"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.streams: dict[str, DeliveryStream] = {}
        self._serial = 0
        self.works: list[Work] = []
        self._data_keys = DataKeys(world, "firehose", _KMS_ERRORS, ("ServiceUnavailableException", 503))

    def stream(self, name: str) -> DeliveryStream:
        """The delivery stream itself, to look into. Raises KeyError when there is none."""
        return named("delivery stream", name, self.streams)

    # ---- for the front door ------------------------------------------------------------------------------------------

    def operation(self, name: str) -> Handler:
        """The operation, behind the constraints of the API."""
        known = self.operations.get(name)
        if known or name in ("put_record", "put_record_batch"):  # they check what they need
            return known or super().operation(name)
        handler = super().operation(name)

        @wraps(handler)
        def checked(request: Request, **params: Any) -> Document:
            check(params, self.world.quotas["firehose.interval_min"])
            return handler(request, **params)

        self.operations[name] = checked
        return checked

    def target(self, operation: str, params: Document) -> Target:
        """Rights are asked on the delivery stream."""
        name = str(params.get("delivery_stream_name", ""))
        actions: tuple[str, ...] = (f"firehose:{operation}",)
        if operation == "CreateDeliveryStream" and params.get("tags"):
            actions += ("firehose:TagDeliveryStream",)
        arn = self.arn(f"deliverystream/{name}") if name else "*"
        return Target(name, self.world.account, actions, arn, exists=name in self.streams)

    def parameters_about(self, arn: Arn) -> Document:
        """The delivery stream by its name."""
        return {"delivery_stream_name": arn.resource.rpartition("/")[2]}

    def _stream(self, name: str) -> DeliveryStream:
        stream = self.streams.get(name)
        if stream is None:  # reported
            text = f"Firehose {name} not found under account {self.world.account}."
            raise ServiceError("ResourceNotFoundException", text)
        return stream

    def _check_active(self, stream: DeliveryStream) -> None:
        if stream.status != "ACTIVE":
            raise in_use(f"Firehose {stream.name} is not ACTIVE, instead in state {stream.status}.")

    # ---- make, show, delete ------------------------------------------------------------------------------------------

    def create_delivery_stream(
        self,
        request: Request,
        *,
        delivery_stream_name: str,
        delivery_stream_type: str = "DirectPut",
        direct_put_source_configuration: Document | None = None,
        kinesis_stream_source_configuration: Document | None = None,
        delivery_stream_encryption_configuration_input: Document | None = None,
        tags: list[Document] | None = None,
        **destinations: Any,
    ) -> Document:
        name, world, source = delivery_stream_name, self.world, kinesis_stream_source_configuration
        if delivery_stream_type not in ("DirectPut", _FROM_STREAM):
            raise NotSimulated(f"firehose: DeliveryStreamType {delivery_stream_type} is not simulated")
        if name in self.streams:  # reported
            raise in_use(f"Firehose {name} under accountId {world.account} already exists")
        if len(self.streams) >= world.quotas["firehose.streams"]:
            text = f"You have already consumed your firehose quota of {world.quotas['firehose.streams']} hoses."
            raise ServiceError("LimitExceededException", text)
        if (delivery_stream_type == _FROM_STREAM) != (source is not None):
            needs = "requires" if source is None else "does not take"
            raise argument(f"DeliveryStreamType {delivery_stream_type} {needs} KinesisStreamSourceConfiguration.")
        if source and delivery_stream_encryption_configuration_input:
            raise argument("Server-side encryption is for Firehose streams with Direct PUT as their source only.")
        destination = read_destination(destinations, "configuration", world.quotas)
        self._check_roles(destination, source)
        arn = self.arn(f"deliverystream/{name}")
        self._serial += 1
        stream = DeliveryStream(world, name, arn, delivery_stream_type, destination, self._serial)
        stream.tags = Tags.read(tags)
        if source:
            stream.reader = Reader(world, stream, source)
            try:
                stream.reader.look_up()
            except (ServiceError, AnswerLost) as error:
                raise argument(f"The Kinesis stream {source['KinesisStreamARN']} cannot be read: {error}") from None
        if delivery_stream_encryption_configuration_input:
            self._encrypt(stream, delivery_stream_encryption_configuration_input, request)
        self.streams[name] = stream
        self._note_work(stream, destination)
        world.trace.add("DeliveryStreamCreated", name, "", request.caller, request.row, destination.kind)
        world.kernel.after(world.quotas["firehose.create_time"], self._created, stream, request.row)
        return {"DeliveryStreamARN": arn}

    def _check_roles(self, destination: Destination, source: Document | None = None) -> None:
        """Raise InvalidArgumentException when a role does not exist or does not trust Firehose (reported)."""
        places = [place.role for place in (destination.files, destination.backup) if place]
        for role in dict.fromkeys((destination.role, *places, *([source["RoleARN"]] if source else ()))):
            if self.world.gateway.assume(role, "firehose.amazonaws.com") is None:
                raise argument(f"Firehose is unable to assume role {role}. Please check the role provided.")

    def _created(self, stream: DeliveryStream, row: int) -> None:
        if stream.status == "CREATING":
            stream.status = "ACTIVE"
            self.world.trace.add("DeliveryStreamActive", stream.name, "", "", row)
            if stream.encryption["Status"] == "ENABLING":
                stream.encryption["Status"] = "ENABLED"
            if stream.reader:
                stream.reader.start()

    def describe_delivery_stream(
        self,
        request: Request,
        *,
        delivery_stream_name: str,
        limit: int = 1,
        exclusive_start_destination_id: str | None = None,
    ) -> Document:
        stream = self._stream(delivery_stream_name)
        document = {
            "DeliveryStreamName": stream.name,
            "DeliveryStreamARN": stream.arn,
            "DeliveryStreamStatus": stream.status,
            "DeliveryStreamEncryptionConfiguration": dict(stream.encryption),
            "DeliveryStreamType": stream.kind,
            "VersionId": str(stream.version),
            "CreateTimestamp": self.date(stream.created),
            "Destinations": [stream.destination.describe()],
            "HasMoreDestinations": False,
        }
        if stream.updated is not None:
            document["LastUpdateTimestamp"] = self.date(stream.updated)
        if stream.reader:
            source = {"KinesisStreamARN": stream.reader.arn, "RoleARN": stream.reader.role}
            begin = {"DeliveryStartTimestamp": self.date(stream.reader.begun)}
            document["Source"] = {"KinesisStreamSourceDescription": source | begin}
        return {"DeliveryStreamDescription": document}

    def list_delivery_streams(
        self,
        request: Request,
        *,
        limit: int = 10,
        delivery_stream_type: str | None = None,
        exclusive_start_delivery_stream_name: str | None = None,
    ) -> Document:
        after = exclusive_start_delivery_stream_name or ""
        names = sorted(n for n, s in self.streams.items() if n > after and delivery_stream_type in (None, s.kind))
        return {"DeliveryStreamNames": names[:limit], "HasMoreDeliveryStreams": len(names) > limit}

    def delete_delivery_stream(
        self, request: Request, *, delivery_stream_name: str, allow_force_delete: bool = False
    ) -> Document:
        stream = self._stream(delivery_stream_name)
        if stream.status == "CREATING":
            raise in_use(f"Firehose {stream.name} is not ACTIVE, instead in state {stream.status}.")
        stream.status = "DELETING"
        if stream.reader:
            stream.reader.stop()
        self.world.trace.add("DeliveryStreamDeleting", stream.name, "", request.caller, request.row)
        self.world.kernel.after(self.world.quotas["firehose.delete_time"], self._deleted, stream, request.row)
        return {}

    def _deleted(self, stream: DeliveryStream, row: int) -> None:
        if self.streams.get(stream.name) is stream:
            del self.streams[stream.name]
            stream.lose("its delivery stream was deleted")
            self.world.trace.add("DeliveryStreamDeleted", stream.name, "", "", row)

    # ---- change ------------------------------------------------------------------------------------------------------

    def update_destination(
        self,
        request: Request,
        *,
        delivery_stream_name: str,
        current_delivery_stream_version_id: str,
        destination_id: str,
        **destinations: Any,
    ) -> Document:
        stream = self._stream(delivery_stream_name)
        self._check_active(stream)
        old = stream.destination
        if destination_id != "destinationId-000000000001":
            raise argument(f"Destination {destination_id} not found in Firehose {stream.name}.")
        if current_delivery_stream_version_id != str(stream.version):
            raise ServiceError(
                "ConcurrentModificationException",
                f"The version id {current_delivery_stream_version_id} of Firehose {stream.name} is not the current "
                f"one, which is {stream.version}.",
            )
        destination = read_destination(destinations, "update", self.world.quotas, old)
        self._check_roles(destination)
        stream.version += 1
        destination.version = stream.version
        stream.destination, stream.updated = destination, self.now
        self.world.trace.add("DeliveryStreamChanged", stream.name, "", request.caller, request.row, "the destination")
        self.world.kernel.after(self.world.quotas["firehose.update_time"], self._configured, stream, destination)
        return {}

    def _configured(self, stream: DeliveryStream, destination: Destination) -> None:
        if self.streams.get(stream.name) is stream:
            stream.configure(destination)
            self._note_work(stream, destination)

    def _note_work(self, stream: DeliveryStream, destination: Destination) -> None:
        converts, partitions = destination.converted, destination.partitioned
        if converts or partitions or any(work.stream == stream.name for work in self.works):
            self.works.append(Work(self.now, stream.name, converts, partitions))

    # ---- encryption --------------------------------------------------------------------------------------------------

    def start_delivery_stream_encryption(
        self,
        request: Request,
        *,
        delivery_stream_name: str,
        delivery_stream_encryption_configuration_input: Document | None = None,
    ) -> Document:
        stream = self._encryptable(delivery_stream_name)
        given = delivery_stream_encryption_configuration_input or {"KeyType": "AWS_OWNED_CMK"}
        self._encrypt(stream, given, request)
        self._encryption_after(stream, "ENABLED")
        return {}

    def _encrypt(self, stream: DeliveryStream, given: Document, request: Request) -> None:
        customers = given["KeyType"] == "CUSTOMER_MANAGED_CMK"
        if customers != ("KeyARN" in given):
            needs = "requires" if customers else "does not take"
            raise argument(f"KeyType {given['KeyType']} {needs} KeyARN.")
        if customers:
            key, reuse = given["KeyARN"], self.world.quotas["firehose.data_key_reuse"]
            self._data_keys.encrypt(request, stream.arn, key, reuse)
        stream.encryption = {**given, "Status": "ENABLING"}

    def stop_delivery_stream_encryption(self, request: Request, *, delivery_stream_name: str) -> Document:
        stream = self._encryptable(delivery_stream_name)
        stream.encryption = {**stream.encryption, "Status": "DISABLING"}
        self._encryption_after(stream, "DISABLED")
        return {}

    def _encryptable(self, name: str) -> DeliveryStream:
        stream = self._stream(name)
        self._check_active(stream)
        if stream.kind != "DirectPut":
            raise argument("Server-side encryption is for Firehose streams with Direct PUT as their source only.")
        if stream.encryption["Status"] in ("ENABLING", "DISABLING"):
            raise in_use(f"The encryption of Firehose {stream.name} is being changed.")
        most, changes = self.world.quotas["firehose.encryption_changes"], stream.encryption_changes
        changes[:] = [time for time in changes if time > self.now - _DAY]
        if len(changes) >= most:
            text = f"Encryption can be started and stopped {most} times in 24 hours."
            raise ServiceError("LimitExceededException", text)
        changes.append(self.now)
        return stream

    def _encryption_after(self, stream: DeliveryStream, status: str) -> None:
        def done() -> None:
            keep = stream.encryption if status == "ENABLED" else {}
            stream.encryption = {**keep, "Status": status}

        self.world.kernel.after(self.world.quotas["firehose.encryption_time"], done)

    # ---- tags --------------------------------------------------------------------------------------------------------

    def tag_delivery_stream(self, request: Request, *, delivery_stream_name: str, tags: list[Document]) -> Document:
        most = self.world.quotas["firehose.tags"]
        too_many = ServiceError("LimitExceededException", f"A Firehose stream can have up to {most} tags.")
        self._stream(delivery_stream_name).tags.add(Tags.read([{"Value": "", **t} for t in tags]), most, too_many)
        return {}

    def untag_delivery_stream(self, request: Request, *, delivery_stream_name: str, tag_keys: list[str]) -> Document:
        self._stream(delivery_stream_name).tags.remove(tag_keys)
        return {}

    def list_tags_for_delivery_stream(
        self,
        request: Request,
        *,
        delivery_stream_name: str,
        exclusive_start_tag_key: str | None = None,
        limit: int = 50,
    ) -> Document:
        tags, after = self._stream(delivery_stream_name).tags, exclusive_start_tag_key
        left = [tag for tag in sorted(tags.listed(), key=lambda tag: tag["Key"]) if after is None or tag["Key"] > after]
        return {"Tags": left[:limit], "HasMoreTags": len(left) > limit}
