"""People who come to all services by their front doors: they sign up and log in at the auth server."""

from __future__ import annotations

from httpx import AsyncClient

from backend.testing import Person

PASSWORD = "password123"


async def signed_up(auth: AsyncClient, email: str) -> Person:
    """Sign up."""
    reply = await auth.post("/auth/signup", json={"email": email, "password": PASSWORD})
    assert reply.status_code == 201, reply.text
    return Person(id=reply.json()["user_id"], token=reply.json()["access_token"])


async def logged_in(auth: AsyncClient, email: str) -> Person:
    """Log in."""
    reply = await auth.post("/auth/login", json={"email": email, "password": PASSWORD})
    assert reply.status_code == 200, reply.text
    return Person(id=reply.json()["user_id"], token=reply.json()["access_token"])
