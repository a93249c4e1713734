"""Clients of an API of rates: its address is an argument, a setting, a constant or an environment variable."""

import os

import httpx

from app.config import settings

RATES_URL = "https://rates.example/v2"


class RatesClient:
    def __init__(self, base_url):
        self.base_url = base_url

    async def rate(self, currency):
        async with httpx.AsyncClient() as client:
            response = await client.get(f"{self.base_url}/rates/{currency}")
            response.raise_for_status()
            return response.json()["rate"]


def latest(currency):
    response = httpx.get(f"{RATES_URL}/latest/{currency}", params={"base": "EUR"})
    response.raise_for_status()
    return response.json()["rate"]


def publish(currency, rate):
    with httpx.Client(base_url=settings.api_url) as client:
        response = client.post("/rates", json={"currency": currency, "rate": rate})
    return response.status_code == 201


def status():
    try:
        return httpx.get(os.environ["STATUS_URL"] + "/status").text
    except httpx.ConnectError:
        return "gone"
