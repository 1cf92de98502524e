"""What a scenario's picture is made of: places, the links between them, and the actors in them. Data, made by a stage.

Places, links and actors can come and go during a run: `t_from` and `t_to` are virtual seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Role:
    """What a kind of place is. `order`: its turn in the flow, from left (0) to right. `weight`: the width that it needs
    on a poster, where a place of one number needs 1. `side`: drawn below the place that feeds it.
    """

    order: int
    weight: float = 1.0
    side: bool = False


ROLES: dict[str, Role] = {
    "producer": Role(0, weight=1.15),
    "bucket": Role(10),
    "topic": Role(20, weight=2.0),
    "queue": Role(30, weight=2.9),
    "direct": Role(30, weight=2.9),
    "shard": Role(30, weight=2.9),
    "endpoint": Role(40),
    "server": Role(50, weight=2.0),
    "consumer": Role(50, weight=2.3),
    "function": Role(50),
    "dead-letter": Role(60, side=True),
    "done": Role(70),
    "lost": Role(80, side=True),
}
"""The roles that places can have. A lab with a new kind of place adds its role here, from its own module."""


@dataclass(frozen=True)
class Place:
    """A place where messages can be. `match` is a pattern (fnmatch) of the actors or resources in the trace that are
    this place, or several with spaces between: a topic is "orders sns/orders". A queue may have `parts`: its servers.
    An "endpoint" is an inbox outside AWS: an address, a telephone, a web server.

    `zone` and `row` are hints for the picture: what lies in the same zone (an Availability Zone, an account, "control")
    is drawn together, and places of one row beside each other. Empty and None: the picture decides.
    """

    id: str
    label: str
    role: str
    match: str = ""
    parts: int = 0
    zone: str = ""
    row: int | None = None
    t_from: float = 0.0
    t_to: float = math.inf


@dataclass(frozen=True)
class Link:
    """A way that messages go, from the place `source` to the place `target` (ids). `capacity`: the most that can pass,
    in `unit`; None: no limit is known.
    """

    source: str
    target: str
    capacity: float | None = None
    unit: str = "messages/s"
    t_from: float = 0.0
    t_to: float = math.inf


@dataclass(frozen=True)
class Actor:
    """A program in a place, by its name in the trace, from `t_from` to `t_to`. One that crashes is still there; one
    that is scaled in is not. Who comes back later stands here again.
    """

    name: str
    place: str
    t_from: float = 0.0
    t_to: float = math.inf


@dataclass(frozen=True)
class Topology:
    """The places of a scenario in the order of flow, the links between them, and the actors. `layout` names a layout of
    its own, when a stage has one.
    """

    places: tuple[Place, ...]
    links: tuple[Link, ...]
    actors: tuple[Actor, ...] = ()
    layout: str = ""

    def __getitem__(self, id: str) -> Place:
        """The place of that id. Raises KeyError."""
        for place in self.places:
            if place.id == id:
                return place
        raise KeyError(id)
