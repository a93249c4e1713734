"""The connections of this process by user, and what is to be passed on to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from backend.messages import Message


class Member(Protocol):
    """A connection, seen from here."""

    @property
    def user_id(self) -> int:
        """Whose it is."""

    def offer(self, message: Message | None) -> None:
        """Take a message to pass on, in time; None: look for any that were missed."""


class Hub:
    """Who is connected."""

    def __init__(self) -> None:
        """Start with nobody."""
        self._members: defaultdict[int, set[Member]] = defaultdict(set)

    @contextmanager
    def joined(self, member: Member) -> Iterator[None]:
        """Pass messages on to a connection until the context ends."""
        self._members[member.user_id].add(member)
        try:
            yield
        finally:
            self._members[member.user_id].discard(member)
            if not self._members[member.user_id]:
                del self._members[member.user_id]

    def deliver(self, message: Message, members: Iterable[int]) -> None:
        """Offer a message to all connections of these users."""
        for user_id in members:
            for member in self._members.get(user_id, ()):
                member.offer(message)

    def catch_up(self) -> None:
        """Have all connections look for messages that they missed."""
        for members in self._members.values():
            for member in members:
                member.offer(None)
