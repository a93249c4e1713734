"""Wrong uses of `executable_service`."""

load("//rules:defs.bzl", "exec_ready", "executable_service", "http_ready", "log_ready", "real_service_test", "tcp_ready")
load(":misuse.bzl", "misuse")

_NAMES = "lower-case letters, digits and '_'"

def _refuse(name, attribute, found, allowed, **attrs):
    misuse(name, executable_service, attribute, found, allowed, **({"binary": ":program", "service_name": "app"} | attrs))

def _attributes():
    _refuse("service_binary_test", "binary", ":client is not executable", "a binary or an executable file", binary = ":client")
    for name, ports, found, allowed in [
        ("port_case_test", ["Http"], repr("Http"), _NAMES),
        ("port_dash_test", ["http", "my-port"], repr("my-port"), _NAMES),
        ("port_twice_test", ["http", "admin", "http"], '"http" twice', "each name once"),
    ]:
        _refuse(name, "ports", found, allowed, ports = ports)
    for name, attribute, value, allowed in [
        ("ready_timeout_test", "ready_timeout_s", 0, "seconds, at least 1"),
        ("grace_test", "grace_s", -1, "seconds, at least 0"),
        ("stop_signal_test", "stop_signal", "TERM", "SIGTERM, SIGINT,"),
    ]:
        _refuse(name, attribute, repr(value), allowed, **{attribute: value})
    _refuse("service_needs_test", "services", ":client is not a service", "targets of rules that return ServiceInfo", services = [":client"])

def _ready():
    for name, ready, found, allowed in [
        ("ready_text_test", "http", '"http"', "http_ready(…), tcp_ready(…)"),
        ("ready_dict_test", {"type": "http"}, '{"type": "http"}', "http_ready(…), tcp_ready(…)"),
        ("ready_struct_test", struct(type = "udp"), "udp", "http_ready(…), tcp_ready(…)"),
        ("http_path_test", http_ready("health"), 'path = "health"', "a path that starts with '/'"),
        ("http_path_lines_test", http_ready("/a\r\nX: 1"), 'path = "/a\\r\\nX: 1"', "a path that starts with '/'"),
        ("http_status_test", http_ready(status = 200), "status = 200", "a list of HTTP statuses"),
        ("http_status_number_test", http_ready(status = [200, 700]), "status = [200, 700]", "a list of HTTP statuses"),
        ("http_port_test", http_ready(port = "admin"), 'port = "admin"', "one of 'ports': \"http\""),
        ("tcp_port_test", tcp_ready(port = "admin"), 'port = "admin"', "one of 'ports': \"http\""),
        ("log_pattern_test", log_ready(""), 'pattern = ""', "a regular expression"),
        ("exec_program_test", exec_ready(":client"), ":client is not executable", "a binary or an executable file"),
        ("exec_args_test", exec_ready(":program", ["$(port admin)"]), '$(port admin): the service has no port "admin"', repr("http")),
    ]:
        _refuse(name, "ready", found, allowed, ready = ready)
    for name, ready in [("http_without_ports_test", http_ready()), ("default_without_ports_test", None)]:
        _refuse(name, "ready", "a service without ports cannot be asked by one", "log_ready(…) or exec_ready(…)", ports = [], ready = ready)

def _references():
    package = native.package_name()
    for name, text, found, allowed in [
        ("own_port_test", "$(port admin)", '$(port admin): the service has no port "admin"', repr("http")),
        ("own_user_test", "$(user)", "$(user): the service itself has no user", "url, websocket_url, host, port, password"),
        ("own_websocket_test", "$(websocket_url)", "$(websocket_url): the service has no 'websocket_url'", "services that set"),
        ("own_host_of_port_test", "$(host http)", "$(host http): only $(port …) takes the name of a port", "$(host SERVICE)"),
        ("service_not_needed_test", "$(url :db)", "$(url //%s:db) names no service of 'services'" % package, "//%s:cache" % package),
        ("service_field_test", "$(user :cache)", 'a service of kind "redis" has no user', "database, host,"),
        ("service_port_test", "$(port :cache http)", 'the service has no port "http"', repr("redis")),
        ("service_url_of_port_test", "$(url :cache redis)", "after the service stands the form of a database's URL", "$(url SERVICE)"),
        ("service_word_test", "$(prot http)", "$(prot http)", "$(FIELD SERVICE) with one of"),
        ("service_execpath_test", "$(execpath :x)", "$(execpath :x)", "$(FIELD SERVICE) with one of"),
        ("service_dollar_test", "$HOME", '"--x=$HOME": a "$" that starts no $(…)', '$(…), or "$$"'),
    ]:
        _refuse("args_" + name, "args", found, allowed, args = ["--x=" + text], services = [":cache"])
    _refuse("service_env_reference_test", "env", "$(url //%s:cache) names no service of 'services'" % package, "nothing, as", env = {"A": "$(url :cache)"})
    _refuse("service_env_dollar_test", "env", 'A = "$": a "$"', "$(…)", env = {"A": "$"})
    _refuse("service_env_reserved_test", "env", repr("TEST_TMPDIR"), "a name other than BAZEL_*", env = {"TEST_TMPDIR": "/tmp"})
    _refuse("own_url_in_url_test", "url", "$(url) within 'url'", "$(host), $(port NAME)", url = "$(url)/x")
    _refuse("own_url_in_websocket_url_test", "websocket_url", "$(url) within 'websocket_url'", "$(host), $(port NAME)", websocket_url = "$(url)/ws")
    _refuse("own_port_of_none_test", "args", "$(port): the service has no ports", "services with 'ports'", args = ["$(port)"], ports = [], ready = log_ready("up"))

def _references_of_tests():
    for name, text, found, allowed in [
        ("test_port_test", "$(port :server metrics)", 'the service has no port "metrics"', '"http", "admin"'),
        ("test_websocket_test", "$(websocket_url :worker)", ":worker has no 'websocket_url'", "services that set 'websocket_url'"),
        ("test_port_of_none_test", "$(port :worker)", "the service has no ports", "services with 'ports'"),
        ("test_password_test", "$(password :server)", ":server gives its program no $(password)", "services that do"),
        ("test_user_test", "$(user :server)", 'a service of kind "executable" has no user', "host, password, port, url, websocket_url"),
    ]:
        misuse(name, real_service_test, "env", found, allowed, env = {"A": text}, services = [":server", ":worker"], test = ":program")

# buildifier: disable=unnamed-macro
def executable_service_misuse_tests():
    """Declares the tests; the services they speak of stand in BUILD.bazel and executable_service.bzl."""
    _attributes()
    _ready()
    _references()
    _references_of_tests()
