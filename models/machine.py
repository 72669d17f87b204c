"""State machines as literal tables: what a table does not list is refused."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

State = TypeVar("State", bound=StrEnum)
Event = TypeVar("Event", bound=StrEnum)


class IllegalMove(Exception):
    """The event is not possible in the present state; the message is a sentence for the person who tried."""

    def __init__(self, machine: str, state: str, event: str) -> None:
        super().__init__(f"{machine}: «{event}» is not possible in the state «{state}».")
        self.machine, self.state, self.event = machine, state, event


def next_state(machine: str, table: Mapping[tuple[State, Event], State], state: State, event: Event) -> State:
    """The state after ``event``; raises `IllegalMove` where the table has no row."""
    try:
        return table[(state, event)]
    except KeyError:
        raise IllegalMove(machine, state, event) from None
