"""What the shop can be told."""


class Settings:
    api_url: str = "https://api.rates.example"


settings = Settings()
