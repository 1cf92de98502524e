"""Mobile push: applications of a push service, and the devices on which their apps run.

Sources: SNS API reference (CreatePlatformApplication, CreatePlatformEndpoint, SetEndpointAttributes, Publish); SNS
developer guide, "Sending mobile push notifications". A device is an inbox under its endpoint's ARN; when it answers
with an error from 400 to 499, the push service has rejected the token, and SNS disables the endpoint.
"""

from __future__ import annotations

import re

from lablib.aws.attributes import Attribute, Quotas, anything, boolean, declare, defaults, matching
from lablib.aws.service import NotSimulated, Request, ServiceError
from lablib.services.sns.attributes import clean_all
from lablib.services.sns.base import SnsBase
from lablib.services.sns.checks import Document, invalid, not_found, split_arn
from lablib.services.sns.outside import SECRETS, Application, Device

_NEEDS_PRINCIPAL = {"ADM": True, "APNS": True, "APNS_SANDBOX": True, "GCM": False}
_TEXTS = (
    "EventEndpointCreated", "EventEndpointDeleted", "EventEndpointUpdated", "EventDeliveryFailure", *SECRETS,
    "SuccessFeedbackRoleArn", "FailureFeedbackRoleArn", "SuccessFeedbackSampleRate", "ApplePlatformTeamID",
    "ApplePlatformBundleID",
)  # fmt: skip


def _user_data(value: str, quotas: Quotas) -> str:
    if len(value.encode("utf-8", "surrogatepass")) > 2048:
        wrong = "Invalid value for attribute: CustomUserData: must be at most 2048 bytes long in UTF-8 encoding"
        raise invalid(f"Attributes Reason: {wrong}")
    return value


_APPLICATION = declare(Attribute("Enabled", boolean, "true"), *(Attribute(name, anything) for name in _TEXTS))
_DEVICE = declare(
    Attribute("Enabled", boolean, "true"),
    Attribute("Token", matching(".+", "Must not be empty.")),
    Attribute("CustomUserData", _user_data),
)
_OTHER_PLATFORMS = ("BAIDU", "MPNS", "WNS", "APNS_VOIP", "APNS_VOIP_SANDBOX", "MACOS", "MACOS_SANDBOX")


def _check_name(name: str) -> None:
    if not name:
        raise invalid(f"{name} Reason: cannot be empty")
    if len(name) > 256:
        raise invalid(f"{name} Reason: must be at most 256 characters long")
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
        raise invalid(f"{name} Reason: must contain only characters 'a'-'z', 'A'-'Z', '0'-'9', '_', '-', and '.'")


def _check_some(attributes: dict[str, str]) -> None:
    """An empty map is none: the query protocol has no way to write one."""
    if not attributes:
        text = "1 validation error detected: Value null at 'attributes' failed to satisfy constraint: "
        raise ServiceError("ValidationError", f"{text}Member must not be null")


class Pushing(SnsBase):
    """The operations on applications and devices."""

    # ---- applications ------------------------------------------------------------------------------------------------

    def create_platform_application(
        self, request: Request, *, name: str, platform: str, attributes: dict[str, str]
    ) -> Document:
        _check_name(name)
        if platform in _OTHER_PLATFORMS:
            raise NotSimulated(f"the platform {platform} is not simulated; there are: {', '.join(_NEEDS_PRINCIPAL)}")
        if platform not in _NEEDS_PRINCIPAL:
            raise invalid(f"Platform Reason: {platform} is not supported")
        given = clean_all(_APPLICATION, attributes, self.world.quotas)
        _check_some(attributes)
        needed = SECRETS if _NEEDS_PRINCIPAL[platform] else SECRETS[:1]
        has = [key for key in needed if attributes.get(key)]
        if len(needed) == 2 and len(has) == 1:
            other = next(key for key in needed if key not in has)
            raise invalid(f"Attributes Reason: {has[0]} attribute provided without {other}")
        for key in needed:
            if not attributes.get(key):
                raise invalid(f"Attributes Reason: {key} is required for the platform {platform}")
        arn = self.arn(f"app/{platform}/{name}")
        existing = self.external.applications.get(arn)
        if existing is None:
            new = Application(arn, platform, name, defaults(_APPLICATION, {}) | given)
            self.external.applications[arn] = new
        elif any(existing.attributes.get(key) != value for key, value in given.items()):
            raise invalid("Attributes Reason: Platform application already exists with different attributes")
        return {"PlatformApplicationArn": arn}

    def _application(self, arn: str) -> Application:
        split_arn(arn, "PlatformApplicationArn")
        if arn not in self.external.applications:
            raise not_found("PlatformApplication")
        return self.external.applications[arn]

    def get_platform_application_attributes(self, request: Request, *, platform_application_arn: str) -> Document:
        return {"Attributes": self._application(platform_application_arn).entry()["Attributes"]}

    def set_platform_application_attributes(
        self, request: Request, *, platform_application_arn: str, attributes: dict[str, str]
    ) -> Document:
        split_arn(platform_application_arn, "PlatformApplicationArn")
        _check_some(attributes)
        application = self._application(platform_application_arn)
        application.attributes |= clean_all(_APPLICATION, attributes, self.world.quotas)
        return {}

    def delete_platform_application(self, request: Request, *, platform_application_arn: str) -> Document:
        split_arn(platform_application_arn, "PlatformApplicationArn")
        application = self.external.applications.pop(platform_application_arn, None)
        for device in application.devices.values() if application else ():
            del self.external.devices[device.arn]
        return {}

    def list_platform_applications(self, request: Request, *, next_token: str | None = None) -> Document:
        page, more = self._page(self.external.applications, next_token)
        return {"PlatformApplications": [self.external.applications[arn].entry() for arn in page]} | more

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
        own = {} if custom_user_data is None else {"CustomUserData": custom_user_data}
        given = own | dict(attributes or {}) | {"Token": token}
        given = self._clean_device(application, given)
        existing = application.devices.get(token)
        if existing:
            if any(existing.attributes.get(name, "") != value for name, value in given.items()):
                raise _token_is_taken(existing)
            return {"EndpointArn": existing.arn}
        tail = f"{application.platform}/{application.name}/{self.world.chance.uuid('sns/devices')}"
        device = Device(self.arn(f"endpoint/{tail}"), application, defaults(_DEVICE, {}) | given)
        application.devices[token] = self.external.devices[device.arn] = device
        return {"EndpointArn": device.arn}

    def _device(self, arn: str) -> Device:
        split_arn(arn, "EndpointArn")
        if arn not in self.external.devices:
            raise not_found("Endpoint")
        return self.external.devices[arn]

    def get_endpoint_attributes(self, request: Request, *, endpoint_arn: str) -> Document:
        return {"Attributes": dict(self._device(endpoint_arn).attributes)}

    def set_endpoint_attributes(self, request: Request, *, endpoint_arn: str, attributes: dict[str, str]) -> Document:
        split_arn(endpoint_arn, "EndpointArn")
        _check_some(attributes)
        device = self._device(endpoint_arn)
        devices = device.application.devices
        given = self._clean_device(device.application, attributes)
        token = given.get("Token", device.attributes["Token"])
        if devices.get(token, device) is not device:
            raise _token_is_taken(devices[token])
        del devices[device.attributes["Token"]]
        devices[token] = device
        device.attributes |= given
        return {}

    def _clean_device(self, application: Application, attributes: dict[str, str]) -> dict[str, str]:
        given = clean_all(_DEVICE, attributes, self.world.quotas)
        apple = application.platform.startswith("APNS")
        if apple and not re.fullmatch("[0-9A-Fa-f]{1,400}", given.get("Token", "0")):
            raise invalid("Token Reason: iOS device tokens must be no more than 400 hexadecimal characters")
        return given

    def delete_endpoint(self, request: Request, *, endpoint_arn: str) -> Document:
        split_arn(endpoint_arn, "EndpointArn")
        device = self.external.devices.pop(endpoint_arn, None)
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
        device = self.external.devices.get(arn)
        if device is None:
            raise invalid("TargetArn Reason: No endpoint found for the target arn specified")
        if not device.application.enabled:
            raise ServiceError("PlatformApplicationDisabled", "Platform application is disabled")
        if not device.enabled:
            raise ServiceError("EndpointDisabled", "Endpoint is disabled")
        return device


def _token_is_taken(device: Device) -> ServiceError:
    same = "already exists with the same Token, but different attributes."
    return invalid(f"Token Reason: Endpoint {device.arn} {same}")
