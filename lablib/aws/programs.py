"""What the trace says of programs beside their calls of AWS: threads that failed, connections of the virtual network.

The actor is the host or the process, the resource the other host. These rows are written by the kernel.
"""

from __future__ import annotations

from lablib.aws.event import Event

EVENTS = (
    Event("ThreadFailed", words="the thread {actor} ended with {detail}", big=True),
    Event("Connected", words="{actor} connected to {resource}, port {detail}"),
    Event("ConnectionRefused", words="{actor} was refused by {resource}: nobody listens on port {detail}"),
    Event("ConnectionReset", words="the connection of {actor} to {resource} was reset"),
    Event("ConnectionTimedOut", words="{actor} gave its connection to {resource} up: nothing was answered"),
    Event("CertificateChecked", words="{actor} checked the certificate of {resource}: {detail}"),
    Event("Partitioned", words="nothing arrives between {actor} and {resource} any more"),
    Event("Healed", words="{actor} and {resource} reach each other again"),
    Event("PoweredOff", words="{actor} lost its power"),
    Event("PoweredOn", words="{actor} has power again"),
)
