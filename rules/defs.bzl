"""All that BUILD files load: the service rules, `migrator`, readiness, the test macro and the provider."""

load("//rules:providers.bzl", _ServiceInfo = "ServiceInfo")
load("//rules/private:catalog.bzl", _kafka_service = "kafka_service", _nats_service = "nats_service", _s3_service = "s3_service")
load("//rules/private:clickhouse_service.bzl", _clickhouse_service = "clickhouse_service")
load("//rules/private:executable_service.bzl", _executable_service = "executable_service")
load("//rules/private:llm_service.bzl", _llm_service = "llm_service")
load("//rules/private:mariadb_service.bzl", _mariadb_service = "mariadb_service")
load("//rules/private:migrator.bzl", _migrator = "migrator")
load("//rules/private:postgres_service.bzl", _postgres_service = "postgres_service")
load("//rules/private:readiness.bzl", _exec_ready = "exec_ready", _http_ready = "http_ready", _log_ready = "log_ready", _tcp_ready = "tcp_ready")
load("//rules/private:real_service_test.bzl", _real_service_test = "real_service_test")
load("//rules/private:redis_service.bzl", _redis_service = "redis_service")
load("//rules/private:service_group.bzl", _service_group = "service_group")

ServiceInfo = _ServiceInfo
clickhouse_service = _clickhouse_service
exec_ready = _exec_ready
executable_service = _executable_service
http_ready = _http_ready
kafka_service = _kafka_service
llm_service = _llm_service
log_ready = _log_ready
mariadb_service = _mariadb_service
migrator = _migrator
nats_service = _nats_service
postgres_service = _postgres_service
real_service_test = _real_service_test
redis_service = _redis_service
s3_service = _s3_service
service_group = _service_group
tcp_ready = _tcp_ready
