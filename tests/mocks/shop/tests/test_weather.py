from unittest.mock import AsyncMock, MagicMock, patch

from app.weather import temperature


@patch("httpx.AsyncClient.get", new_callable=AsyncMock)
async def test_temperature(get):
    get.return_value = MagicMock(status_code=200, json=lambda: {"celsius": 21})
    assert await temperature("bonn") == 21
