"""All that BUILD files load: the service rules, the test macro and the provider."""

load("//rules:providers.bzl", _ServiceInfo = "ServiceInfo")
load("//rules/private:postgres_service.bzl", _postgres_service = "postgres_service")
load("//rules/private:real_service_test.bzl", _real_service_test = "real_service_test")
load("//rules/private:redis_service.bzl", _redis_service = "redis_service")

ServiceInfo = _ServiceInfo
postgres_service = _postgres_service
real_service_test = _real_service_test
redis_service = _redis_service
