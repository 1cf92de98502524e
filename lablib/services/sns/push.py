"""Mobile push: applications of a push service, and the devices on which their apps run.

Sources: SNS API reference (CreatePlatformApplication, CreatePlatformEndpoint, SetEndpointAttributes, Publish); SNS
developer guide, "Sending mobile push notifications". A device is an inbox under its endpoint's ARN; when it answers
with an error from 400 to 499, the push service has told SNS that the token is not valid, and SNS disables the endpoint.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from lablib.aws.service import NotSimulated, Request, ServiceError
from lablib.services.sns.base import SnsBase
from lablib.services.sns.checks import Document, invalid, not_found, split_arn
from lablib.services.sns.outside import SECRETS, Application, Device

_NEEDS_PRINCIPAL = {"ADM": True, "APNS": True, "APNS_SANDBOX": True, "GCM": False}
_EVENTS = ("EventEndpointCreated", "EventEndpointDeleted", "EventEndpointUpdated", "EventDeliveryFailure")
_APPLICATION = (
    "Enabled", *_EVENTS, *SECRETS, "SuccessFeedbackRoleArn", "FailureFeedbackRoleArn", "SuccessFeedbackSampleRate",
    "ApplePlatformTeamID", "ApplePlatformBundleID",
)  # fmt: skip
_DEVICE = ("CustomUserData", "Enabled", "Token")


class Pushing(SnsBase):
    """The operations on applications and devices."""

    # ---- applications ------------------------------------------------------------------------------------------------

    def create_platform_application(
        self, request: Request, *, name: str, platform: str, attributes: dict[str, str]
    ) -> Document:
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,256}", name):
            raise invalid("Name")
        if platform in ("BAIDU", "MPNS", "WNS", "APNS_VOIP", "APNS_VOIP_SANDBOX", "MACOS", "MACOS_SANDBOX"):
            raise NotSimulated(f"the platform {platform} is not simulated; there are: {', '.join(_NEEDS_PRINCIPAL)}")
        if platform not in _NEEDS_PRINCIPAL:
            raise invalid(f"Platform Reason: {platform} is not a valid platform")
        _check_names(attributes, _APPLICATION)
        needed = SECRETS if _NEEDS_PRINCIPAL[platform] else SECRETS[:1]
        for key in needed:
            if not attributes.get(key):
                raise invalid(f"Attributes Reason: {key} is required for the platform {platform}")
        arn = self.arn(f"app/{platform}/{name}")
        existing = self.outside.applications.get(arn)
        if existing is None:
            existing = self.outside.applications[arn] = Application(arn, platform, name)
            existing.attributes = {"Enabled": "true"} | attributes
        elif any(existing.attributes.get(key) != value for key, value in attributes.items()):
            raise invalid("Attributes Reason: Platform application already exists with different attributes")
        return {"PlatformApplicationArn": arn}

    def _application(self, arn: str) -> Application:
        split_arn(arn, "PlatformApplicationArn")
        if arn not in self.outside.applications:
            raise not_found("PlatformApplication")
        return self.outside.applications[arn]

    def get_platform_application_attributes(self, request: Request, *, platform_application_arn: str) -> Document:
        return {"Attributes": self._application(platform_application_arn).entry()["Attributes"]}

    def set_platform_application_attributes(
        self, request: Request, *, platform_application_arn: str, attributes: dict[str, str]
    ) -> Document:
        application = self._application(platform_application_arn)
        _check_names(attributes, _APPLICATION)
        application.attributes |= attributes
        return {}

    def delete_platform_application(self, request: Request, *, platform_application_arn: str) -> Document:
        split_arn(platform_application_arn, "PlatformApplicationArn")
        application = self.outside.applications.pop(platform_application_arn, None)
        for device in application.devices.values() if application else ():
            del self.outside.devices[device.arn]
        return {}

    def list_platform_applications(self, request: Request, *, next_token: str | None = None) -> Document:
        page, more = self._page(self.outside.applications, next_token)
        return {"PlatformApplications": [self.outside.applications[arn].entry() for arn in page]} | more

    # ---- devices -----------------------------------------------------------------------------------------------------

    def create_platform_endpoint(
        self,
        request: Request,
        *,
        platform_application_arn: str,
        token: str,
        custom_user_data: str | None = None,
        attributes: dict[str, str] | None = None,
    ) -> Document:
        application = self._application(platform_application_arn)
        given = dict(attributes or {}) | {"Token": token}
        if custom_user_data is not None:
            given["CustomUserData"] = custom_user_data
        _check_device(application, given)
        existing = application.devices.get(token)
        if existing:
            if any(existing.attributes.get(name, "") != value for name, value in given.items()):
                same = "already exists with the same Token, but different attributes."
                raise invalid(f"Token Reason: Endpoint {existing.arn} {same}")
            return {"EndpointArn": existing.arn}
        tail = f"{application.platform}/{application.name}/{self.world.chance.uuid('sns/devices')}"
        device = Device(self.arn(f"endpoint/{tail}"), application, {"Enabled": "true"} | given)
        application.devices[token] = self.outside.devices[device.arn] = device
        return {"EndpointArn": device.arn}

    def _device(self, arn: str) -> Device:
        split_arn(arn, "EndpointArn")
        if arn not in self.outside.devices:
            raise not_found("Endpoint")
        return self.outside.devices[arn]

    def get_endpoint_attributes(self, request: Request, *, endpoint_arn: str) -> Document:
        return {"Attributes": dict(self._device(endpoint_arn).attributes)}

    def set_endpoint_attributes(self, request: Request, *, endpoint_arn: str, attributes: dict[str, str]) -> Document:
        device = self._device(endpoint_arn)
        application = device.application
        _check_device(application, attributes)
        token = attributes.get("Token", device.attributes["Token"])
        other = application.devices.get(token)
        if other and other is not device:
            same = "already exists with the same Token, but different attributes."
            raise invalid(f"Token Reason: Endpoint {other.arn} {same}")
        del application.devices[device.attributes["Token"]]
        application.devices[token] = device
        device.attributes |= attributes
        return {}

    def delete_endpoint(self, request: Request, *, endpoint_arn: str) -> Document:
        split_arn(endpoint_arn, "EndpointArn")
        device = self.outside.devices.pop(endpoint_arn, None)
        if device:
            del device.application.devices[device.attributes["Token"]]
        return {}

    def list_endpoints_by_platform_application(
        self, request: Request, *, platform_application_arn: str, next_token: str | None = None
    ) -> Document:
        devices = {device.arn: device for device in self._application(platform_application_arn).devices.values()}
        page, more = self._page(devices, next_token)
        return {"Endpoints": [{"EndpointArn": arn, "Attributes": dict(devices[arn].attributes)} for arn in page]} | more

    def _ready_device(self, arn: str) -> Device:
        """The device to which something is to be published. Raises what Publish says when it cannot be."""
        device = self.outside.devices.get(arn)
        if device is None:
            raise invalid("TargetArn Reason: No endpoint found for the target arn specified")
        if not device.application.enabled:
            raise ServiceError("PlatformApplicationDisabled", "Platform application is disabled")
        if not device.enabled:
            raise ServiceError("EndpointDisabled", "Endpoint is disabled")
        return device


def _check_names(attributes: Mapping[str, str], known: tuple[str, ...]) -> None:
    for name, value in attributes.items():
        if name not in known:
            raise invalid(f"Attributes Reason: Invalid attribute name: {name}")
        if name == "Enabled" and value.lower() not in ("true", "false"):
            raise invalid(f"Attributes Reason: Invalid value for attribute: Enabled: {value}")


def _check_device(application: Application, attributes: Mapping[str, str]) -> None:
    _check_names(attributes, _DEVICE)
    token = attributes.get("Token")
    if token is not None and not token:
        raise invalid("Token")
    if token and application.platform.startswith("APNS") and not re.fullmatch("[0-9A-Fa-f]{1,400}", token):
        raise invalid("Token Reason: iOS device tokens must be no more than 400 hexadecimal characters")
    if len(attributes.get("CustomUserData", "").encode()) > 2048:
        raise invalid("CustomUserData Reason: must be at most 2048 bytes long in UTF-8 encoding")
