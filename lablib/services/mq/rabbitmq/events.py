"""What RabbitMQ's own rows mean, beside those of all brokers (`mq.events`). A queue's place is "broker/queue/orders",
an exchange's "broker/exchange/name"; a node is named as its host."""

from __future__ import annotations

from lablib.aws.event import Event
from lablib.kernel import Row, Trace


def _confirmed(row: Row, trace: Trace) -> str:
    return f"not confirmed to {row.actor}: a queue did not take it"


EVENTS = (
    Event("QueueDeclared", "queue {resource} declared, a {detail} queue whose leader is {actor}"),
    Event("QueueRemoved", "queue {resource} removed: {detail}"),
    Event("Replicated", "{actor} has it too"),
    Event("NotConfirmed", _confirmed, label="refused", notable="{actor} is told that a message was not taken.",
          series="actor"),
    Event("Unroutable", "{resource} has no queue for it, and drops it", ends="unroutable", lost=True, counts="expired",
          label="unroutable", notable="{resource} has no queue for a message with key {detail!r}.", series="all"),
    Event("LetGo", "{actor} has it no longer: {detail}", "{actor} lets {message} go", holder="drops"),
    Event("Rerouted", "{resource} gives it to the dead-letter exchange {detail}", ends="rerouted", label="dead letter",
          notable="A message goes to the dead-letter exchange {detail}.", series="all"),
    Event("GivenBack", "given back to {actor}: {resource} has no queue for it", ends="given back"),
    Event("LeaderElected", "{actor} leads {resource} from now on", label="leader", part="",
          notable="{actor} leads {resource} from now on."),
    Event("QueueStopped", "{resource} answers nobody: {detail}", label="stopped",
          notable="{resource} answers nobody: {detail}.", big=True),
    Event("MirrorSynchronised", "{actor} has all of {resource}", label="synchronised",
          notable="{actor} has all of {resource} again."),
    Event("NodePaused", "{detail} sees a minority of {resource} and pauses", label="paused",
          notable="{detail} sees only a minority and pauses.", big=True),
    Event("AlarmRaised", "{resource} is low on {detail}: publishers are blocked", label="alarm",
          notable="{resource} is low on {detail}: publishers are blocked.", big=True),
    Event("AlarmCleared", "{resource} has enough {detail} again"),
)  # fmt: skip
