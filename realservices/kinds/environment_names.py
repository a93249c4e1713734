"""The fixtures of environments that have a part of all keys: a kind says in which of them it is."""

AUTH = "auth_service_integration_environment"
WEBSOCKET = "websocket_integration_environment"
ANALYTICS = "analytics_testing_environment"
