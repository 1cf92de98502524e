"""Text messages: the operations on settings, and on numbers that want none.

Source: SNS API reference (SetSMSAttributes, CheckIfPhoneNumberIsOptedOut, OptInPhoneNumber). Error texts are ours,
but for those of unknown attributes, of DefaultSMSType and of numbers that are none, which were recorded.
"""

from __future__ import annotations

from lablib.aws.attributes import Attribute, choice, declare, integer, matching
from lablib.aws.service import Request, ServiceError
from lablib.services.sns.attributes import clean_all
from lablib.services.sns.base import SnsBase
from lablib.services.sns.checks import Document, check_phone

_WRONG = "input incorrectly formatted"
_ATTRIBUTES = declare(
    Attribute("MonthlySpendLimit", matching(r"[0-9]{1,9}", "Must be a number of dollars.")),
    Attribute("DeliveryStatusIAMRole", matching(r"arn:[a-z-]+:iam::[0-9]{12}:role/.+", "Must be the ARN of a role.")),
    Attribute("DeliveryStatusSuccessSamplingRate", integer(0, 100)),
    Attribute("DefaultSenderID", matching(r"(?=.*[A-Za-z])[A-Za-z0-9]{1,11}", "Must be 1 to 11 letters or digits.")),
    Attribute("DefaultSMSType", choice("Promotional", "Transactional")),
    Attribute("UsageReportS3Bucket", matching(r"[a-z0-9.-]{3,63}", "Must be the name of a bucket.")),
)


class Texting(SnsBase):
    """The operations on phone numbers. A number opts out with `service.phones.opt_out(number)`."""

    def check_if_phone_number_is_opted_out(self, request: Request, *, phone_number: str) -> Document:
        check_phone(phone_number, _WRONG)
        return {"isOptedOut": phone_number in self.phones.opted_out}

    def list_phone_numbers_opted_out(self, request: Request, *, next_token: str | None = None) -> Document:
        page, more = self._page(self.phones.opted_out, next_token)
        return {"phoneNumbers": page} | ({"nextToken": more["NextToken"]} if more else {})

    def opt_in_phone_number(self, request: Request, *, phone_number: str) -> Document:
        check_phone(phone_number, _WRONG)
        self.phones.opted_out.pop(phone_number, None)
        return {}

    def set_sms_attributes(self, request: Request, *, attributes: dict[str, str]) -> Document:
        for name in attributes:
            if name not in _ATTRIBUTES:
                raise ServiceError("InvalidParameter", f"{name} is not a valid attribute")
        if attributes.get("DefaultSMSType", "Promotional") not in ("Promotional", "Transactional"):
            raise ServiceError("InvalidParameter", "DefaultSMSType is invalid")
        self.phones.settings |= clean_all(_ATTRIBUTES, attributes, self.world.quotas)
        return {}

    def get_sms_attributes(self, request: Request, *, attributes: list[str] | None = None) -> Document:
        known = self.phones.settings
        return {"attributes": {n: v for n, v in known.items() if not attributes or n in attributes}}
