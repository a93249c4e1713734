"""A client of somebody else's API."""

import httpx


async def temperature(city):
    async with httpx.AsyncClient() as client:
        response = await client.get(f"https://weather.example/{city}")
        response.raise_for_status()
        return response.json()["celsius"]
