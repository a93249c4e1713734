"""Threads in a real PostgreSQL, each test in a transaction that is rolled back."""

from __future__ import annotations

from datetime import datetime

import asyncpg
import pytest

from auth.testing import DatabaseConnection
from auth.users import Users
from backend.errors import UnknownThreadError, UnknownUserError
from backend.messages import Message, from_frame, to_frame
from backend.threads import Thread, Threads

pytestmark = pytest.mark.requires_postgres


@pytest.fixture
def threads(isolated_database: DatabaseConnection) -> Threads:
    return Threads(isolated_database)


@pytest.fixture
async def users(isolated_database: DatabaseConnection) -> list[int]:
    """Three users' ids, the last of whom is in no thread."""
    users = Users(isolated_database)
    names = ("ada", "grace", "test")
    return [(await users.create(email=f"{name}@example.com", password_hash="$")).id for name in names]


@pytest.fixture
async def thread(threads: Threads, users: list[int]) -> Thread:
    return await threads.create(title="Hello", members=users[:2])


async def post(threads: Threads, thread: Thread, sender: int, text: str, client_id: str | None = None) -> int:
    posted = await threads.post(thread_id=thread.id, sender_id=sender, text=text, client_id=client_id)
    return posted.message.number


async def test_thread_is_its_members(threads: Threads, users: list[int], thread: Thread) -> None:
    other = await threads.create(title="Again", members=[users[0], users[0]])
    assert await threads.of_member(users[0]) == [thread, other]
    assert await threads.of_member(users[1]) == [thread]
    assert await threads.of_member(users[2]) == []


async def test_thread_with_somebody_who_does_not_exist_is_not_made(
    threads: Threads, users: list[int], isolated_database: DatabaseConnection
) -> None:
    with pytest.raises(UnknownUserError):
        await threads.create(title="Hello", members=[users[0], 2**40])
    assert await isolated_database.fetchval("SELECT count(*) FROM threads") == 0


async def test_messages_are_numbered_by_thread(threads: Threads, users: list[int], thread: Thread) -> None:
    other = await threads.create(title="Again", members=users[:1])
    assert [await post(threads, thread, users[0], "a"), await post(threads, thread, users[1], "b")] == [1, 2]
    assert await post(threads, other, users[0], "c") == 1
    assert [known.last_number for known in await threads.of_member(users[0])] == [2, 1]


async def test_post_says_who_is_to_get_it(threads: Threads, users: list[int], thread: Thread) -> None:
    posted = await threads.post(thread_id=thread.id, sender_id=users[0], text="hello", client_id="1")
    assert posted.members == frozenset(users[:2])
    assert posted.is_new
    assert posted.message == Message(
        thread_id=thread.id,
        number=1,
        sender_id=users[0],
        text="hello",
        client_id="1",
        sent_at=posted.message.sent_at,
    )


async def test_same_client_id_is_the_same_message(
    threads: Threads, users: list[int], thread: Thread, isolated_database: DatabaseConnection
) -> None:
    first = await threads.post(thread_id=thread.id, sender_id=users[0], text="hello", client_id="1")
    await post(threads, thread, users[0], "in between")
    again = await threads.post(thread_id=thread.id, sender_id=users[0], text="hello", client_id="1")
    assert (again.message, again.is_new) == (first.message, False)
    assert await isolated_database.fetchval("SELECT count(*) FROM messages") == 2


async def test_client_ids_of_others_and_no_client_id_are_not_the_same(
    threads: Threads, users: list[int], thread: Thread
) -> None:
    numbers = [await post(threads, thread, user, "hello", "1") for user in users[:2]]
    numbers += [await post(threads, thread, users[0], "hello") for _ in range(2)]
    assert numbers == [1, 2, 3, 4]


async def test_others_can_neither_write_nor_read(threads: Threads, users: list[int], thread: Thread) -> None:
    await post(threads, thread, users[0], "hello")
    with pytest.raises(UnknownThreadError):
        await post(threads, thread, users[2], "let me in")
    with pytest.raises(UnknownThreadError):
        await threads.messages(thread_id=thread.id, reader_id=users[2], after=0, limit=10)
    assert [known.last_number for known in await threads.of_member(users[0])] == [1]


@pytest.mark.parametrize(
    ("after", "limit", "expected"), [(0, 10, [1, 2, 3]), (1, 10, [2, 3]), (0, 2, [1, 2]), (3, 10, []), (2**62, 1, [])]
)
async def test_messages_are_read_by_number(
    threads: Threads, users: list[int], thread: Thread, after: int, limit: int, expected: list[int]
) -> None:
    for text in ("a", "b", "c"):
        await post(threads, thread, users[0], text)
    messages = await threads.messages(thread_id=thread.id, reader_id=users[1], after=after, limit=limit)
    assert [message.number for message in messages] == expected


async def test_messages_outlive_their_sender(
    threads: Threads, users: list[int], thread: Thread, isolated_database: DatabaseConnection
) -> None:
    await post(threads, thread, users[0], "hello", "1")
    await isolated_database.execute("DELETE FROM users WHERE id = $1", users[0])
    (message,) = await threads.messages(thread_id=thread.id, reader_id=users[1], after=0, limit=10)
    assert (message.sender_id, message.text) == (None, "hello")
    assert from_frame(to_frame(message)) == message


@pytest.mark.parametrize("text", ["", "x" * 4001])
async def test_database_itself_refuses_what_is_no_message(
    threads: Threads, users: list[int], thread: Thread, text: str
) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await post(threads, thread, users[0], text)
    assert await post(threads, thread, users[0], "hello") == 1


def test_message_travels_unchanged() -> None:
    sent_at = datetime.fromisoformat("2023-01-01T00:00:00.123456+00:00")
    message = Message(thread_id=1, number=2, sender_id=3, text="x", sent_at=sent_at, client_id="y")
    assert from_frame(to_frame(message)) == message
