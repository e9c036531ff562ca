"""What the software refuses to do, said so that a person knows how to go on.

A refusal carries a sentence in Chinese (the message id of its translation) and the facts as
fields. The web edge translates and answers; nothing else knows HTTP.
"""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """Expected and harmless. ``sentence`` is a message id with ``%(name)s`` places for ``facts``.

    ``field`` names the input that has to change, where there is one.
    """

    code = "refused"

    def __init__(self, sentence: str, *, field: str | None = None, **facts: Any) -> None:
        self.sentence = sentence
        self.field = field
        self.facts = facts
        super().__init__(sentence % facts if facts else sentence)


class InvalidInput(Refusal):
    """The input cannot be meant as it stands; ``field`` says where."""

    code = "invalid_input"


class NotFound(Refusal):
    """There is no such thing, or it is not for this person to know that there is."""

    code = "not_found"


class NotAllowed(Refusal):
    """This person may not do this."""

    code = "not_allowed"


class Conflict(Refusal):
    """Something else stands in the way as things are now."""

    code = "conflict"


class SlotTaken(Conflict):
    """Someone else holds the equipment then. ``alternatives`` are free intervals, nearest first."""

    code = "slot_taken"

    def __init__(self, sentence: str, *, alternatives: tuple[Any, ...] = (), **facts: Any) -> None:
        self.alternatives = alternatives
        super().__init__(sentence, **facts)
