"""The events of a client, `client.meta.events`: those that fire here, and a clear refusal of the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lablib.aws.service import NotSimulated

FIRED = ("provide-client-params", "before-parameter-build", "before-call", "after-call", "getattr")
_REFUSED = (
    "before-endpoint-resolution", "request-created", "choose-signer", "before-sign", "before-send", "response-received",
    "before-parse", "needs-retry", "after-call-error",
)  # fmt: skip
# botocore's own: its transfers know without them when a body is sent, and its Stubber needs an endpoint for nothing.
_SILENT = ("s3upload-", "boto_stubber_stub_account_id")


def check_event(name: str, unique_id: Any = None) -> None:
    """Raise NotSimulated for an event that never fires, since nothing is signed and sent here."""
    first = name.partition(".")[0]
    if first in _REFUSED and not str(unique_id).startswith(_SILENT):
        fire = ", ".join(FIRED[:4])
        raise NotSimulated(f"the event {name!r} never fires here: no request is made and signed; there are {fire}")


def listening(base: type) -> type:
    """A class of emitters derived from botocore's, which begins without handlers and knows whether it has any."""

    class ClientEvents(base):
        used = False  # has anybody registered for anything that fires?

        def _verify_and_register(
            self, event_name: str, handler: Callable[..., Any], unique_id: Any, *args: Any, **more: Any
        ) -> None:
            check_event(event_name, unique_id)
            self.used = self.used or not str(unique_id).startswith(_SILENT)
            super()._verify_and_register(event_name, handler, unique_id, *args, **more)

    return ClientEvents
