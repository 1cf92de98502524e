"""The settings of a stream: retention, largest record, mode, encryption, monitoring, tags, access policies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from lablib.aws.access.decide import MalformedPolicy, Policy
from lablib.aws.access.identities import UnknownPrincipal, bound
from lablib.aws.keys import DataKeys
from lablib.aws.lists import Tags
from lablib.aws.service import Request, ServiceError, World
from lablib.services.kinesis.base import Document, KinesisBase
from lablib.services.kinesis.checks import METRICS, argument, not_found, too_much
from lablib.services.kinesis.fanout import Consumer
from lablib.services.kinesis.stream import DAY, Stream

_KMS_ERRORS = {  # API reference, PutRecord
    "AccessDeniedException": ("KMSAccessDeniedException", "KMSAccessDeniedException"),
    "DisabledException": ("KMSDisabledException", "KMSDisabledException"),
    "KMSInvalidStateException": ("KMSInvalidStateException", "KMSInvalidStateException"),
    "NotFoundException": ("KMSNotFoundException", "KMSNotFoundException"),
    "ThrottlingException": ("KMSThrottlingException", "KMSThrottlingException"),
}


class Settings(KinesisBase):
    """What can be changed of a stream that is there."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._data_keys = DataKeys(world, "kinesis", _KMS_ERRORS, ("InternalFailureException", 500))
        self._tags: defaultdict[str, Tags] = defaultdict(Tags)  # by ARN: of streams and of consumers

    # ---- settings ----------------------------------------------------------------------------------------------------

    def increase_stream_retention_period(
        self,
        request: Request,
        *,
        stream: Stream,
        retention_period_hours: int,
    ) -> Document:
        hours = self._hours(stream, retention_period_hours)
        if hours < stream.retention:
            raise argument(
                f"Requested retention period ({hours} hours) for stream {stream.name} can not be shorter than existing "
                f"retention period ({stream.retention} hours). Use DecreaseRetentionPeriod API."
            )
        return self._keep(stream, hours, request)

    def decrease_stream_retention_period(
        self,
        request: Request,
        *,
        stream: Stream,
        retention_period_hours: int,
    ) -> Document:
        hours = self._hours(stream, retention_period_hours)
        if hours > stream.retention:
            raise argument(
                f"Requested retention period ({hours} hours) for stream {stream.name} can not be longer than existing "
                f"retention period ({stream.retention} hours). Use IncreaseRetentionPeriod API."
            )
        return self._keep(stream, hours, request)

    def _hours(self, stream: Stream, hours: int) -> int:
        """Hours within AWS's bounds (texts: emulator)."""
        quotas = self.world.quotas
        low, high = quotas["kinesis.retention"], quotas["kinesis.retention_max"]
        if not low <= hours <= high:
            bound, most, which = ("Minimum", low, "short") if hours < low else ("Maximum", high, "long")
            raise argument(
                f"{bound} allowed retention period is {most} hours. Requested retention period ({hours} hours) is too "
                f"{which}."
            )
        self._check_active(stream)
        return hours

    def _keep(self, stream: Stream, hours: int, request: Request) -> Document:
        if hours != stream.retention:
            self._changed(stream, request, "retention", f"{hours} hours")
            stream.keep_for(hours)
        return {}

    def _changed(self, stream: Stream, request: Request, what: str, value: str) -> None:
        detail = {"name": what, "value": value}
        self.world.trace.add("StreamChanged", stream.name, "", request.caller, request.row, detail)

    def update_max_record_size(self, request: Request, *, stream: Stream, max_record_size_in_ki_b: int) -> Document:
        self._check_active(stream)
        self._set_largest(stream, max_record_size_in_ki_b)
        self._changed(stream, request, "largest record", f"{max_record_size_in_ki_b} KiB")
        return {}

    def _set_largest(self, stream: Stream, kib: int) -> None:
        most = self.world.quotas["kinesis.record_size_max"]
        if kib * 1024 > most:
            raise _validation(f"MaxRecordSizeInKiB {kib} is more than {most // 1024}, which is the largest there is.")
        stream.set_largest(kib * 1024)

    def update_stream_mode(self, request: Request, *, stream: Stream, stream_mode_details: Document) -> Document:
        self._check_active(stream)
        on_demand = stream_mode_details["StreamMode"] == "ON_DEMAND"
        if on_demand == stream.on_demand:
            return {}
        self._at_most(stream.mode_changes, "kinesis.mode_changes", stream, "UpdateStreamMode")
        self._changed(stream, request, "mode", "on demand" if on_demand else "provisioned")

        def switch() -> None:
            stream.on_demand = on_demand

        stream.update(request.row, self.world.quotas["kinesis.update_time"], switch)
        return {}

    def _at_most(self, times: list[float], quota: str, stream: Stream, operation: str) -> None:
        """Note a change that is allowed so many times a day. Raises LimitExceededException."""
        most, now = self.world.quotas[quota], self.now
        times[:] = [time for time in times if time > now - DAY]
        if len(times) >= most:
            raise too_much(
                f"{operation} can be called at most {most} times in 24 hours for stream {stream.name} under account "
                f"{self.world.account}."
            )
        times.append(now)

    def start_stream_encryption(
        self,
        request: Request,
        *,
        stream: Stream,
        encryption_type: str,
        key_id: str,
    ) -> Document:
        self._check_active(stream)
        if encryption_type != "KMS":
            raise argument(f"EncryptionType {encryption_type} is not valid for StartStreamEncryption.")
        self._at_most(stream.key_changes, "kinesis.key_changes", stream, "StartStreamEncryption")
        self._data_keys.encrypt(request, stream.arn, key_id, self.world.quotas["kinesis.data_key_reuse"])
        self._changed(stream, request, "encryption", key_id)
        stream.update(request.row, self.world.quotas["kinesis.update_time"], lambda: setattr(stream, "key_id", key_id))
        return {}

    def stop_stream_encryption(
        self,
        request: Request,
        *,
        stream: Stream,
        encryption_type: str,
        key_id: str,
    ) -> Document:
        self._check_active(stream)
        if encryption_type != "KMS":
            raise argument(f"EncryptionType {encryption_type} is not valid for StopStreamEncryption.")
        self._changed(stream, request, "encryption", "none")
        stream.update(request.row, self.world.quotas["kinesis.update_time"], lambda: setattr(stream, "key_id", ""))
        return {}

    def enable_enhanced_monitoring(
        self,
        request: Request,
        *,
        stream: Stream,
        shard_level_metrics: list[str],
    ) -> Document:
        return self._monitor(stream, lambda now: {*now, *_all(shard_level_metrics)})

    def disable_enhanced_monitoring(
        self,
        request: Request,
        *,
        stream: Stream,
        shard_level_metrics: list[str],
    ) -> Document:
        return self._monitor(stream, lambda now: now - _all(shard_level_metrics))

    def _monitor(self, stream: Stream, change: Callable[[set[str]], set[str]]) -> Document:
        self._check_active(stream)
        before, wanted = list(stream.metrics), change(set(stream.metrics))
        stream.metrics = tuple(metric for metric in METRICS if metric in wanted)
        return {
            "StreamName": stream.name,
            "StreamARN": stream.arn,
            "CurrentShardLevelMetrics": before,
            "DesiredShardLevelMetrics": list(stream.metrics),
        }

    # ---- tags --------------------------------------------------------------------------------------------------------

    def add_tags_to_stream(self, request: Request, *, stream: Stream, tags: dict[str, str]) -> Document:
        self._tag(stream.arn, tags)
        return {}

    def remove_tags_from_stream(self, request: Request, *, stream: Stream, tag_keys: list[str]) -> Document:
        self._tags[stream.arn].remove(tag_keys)
        return {}

    def list_tags_for_stream(
        self, request: Request, *, stream: Stream, exclusive_start_tag_key: str = "", limit: int = 50
    ) -> Document:
        tags = [tag for tag in self._listed(stream.arn) if tag["Key"] > exclusive_start_tag_key]
        return {"Tags": tags[:limit], "HasMoreTags": len(tags) > limit}

    def tag_resource(self, request: Request, *, tags: dict[str, str], resource_arn: str) -> Document:
        self._tag(self._owner(resource_arn).arn, tags)
        return {}

    def untag_resource(self, request: Request, *, tag_keys: list[str], resource_arn: str) -> Document:
        self._tags[self._owner(resource_arn).arn].remove(tag_keys)
        return {}

    def list_tags_for_resource(self, request: Request, *, resource_arn: str) -> Document:
        return {"Tags": self._listed(self._owner(resource_arn).arn)}

    def _tag(self, arn: str, tags: dict[str, str] | None) -> None:
        most = self.world.quotas["kinesis.tags"]
        too_many = argument(f"Failed to add tags to resource {arn}: it would have more than {most} tags.")
        self._tags[arn].add(tags or {}, most, too_many)

    def _listed(self, arn: str) -> list[dict[str, str]]:
        return sorted(self._tags[arn].listed(), key=lambda tag: tag["Key"])

    # ---- access policies ---------------------------------------------------------------------------------------------

    def put_resource_policy(self, request: Request, *, resource_arn: str, policy: str) -> Document:
        owner = self._owner(resource_arn)
        try:
            owner.policy = bound(Policy.parse(policy), self.world)
        except (MalformedPolicy, UnknownPrincipal) as error:
            raise argument(str(error)) from None
        owner.policy_text = policy
        self.has_policies = True
        return {}

    def get_resource_policy(self, request: Request, *, resource_arn: str) -> Document:
        return {"Policy": self._owner(resource_arn).policy_text or "{}"}

    def delete_resource_policy(self, request: Request, *, resource_arn: str) -> Document:
        owner = self._owner(resource_arn)
        if not owner.policy:
            raise not_found(f"No resource policy found for resource ARN {resource_arn}")
        owner.policy, owner.policy_text = None, ""
        return {}

    def _owner(self, arn: str) -> Stream | Consumer:
        """The stream or the consumer with that ARN."""
        return self._consumer(arn) if "/consumer/" in arn else self._stream(None, arn)


def _all(metrics: list[str]) -> set[str]:
    return {metric for metric in METRICS if metric != "ALL"} if "ALL" in metrics else set(metrics)


def _validation(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)
