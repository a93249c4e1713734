"""Uses of `service_group`, wrong and right."""

load("//rules:defs.bzl", "executable_service", "log_ready", "service_group")
load(":fakes.bzl", "fake_program")
load(":manifest.bzl", "manifest_test", "start_order_test")
load(":misuse.bzl", "misuse")

_NAMES = "names of services of this group that have a port: cache"

def _misuses():
    for name, attribute, found, allowed, attrs in [
        ("group_without_services_test", "services", "[]", "at least one service", {"services": []}),
        ("group_of_no_services_test", "services", ":client is not a service", "targets of rules that return ServiceInfo", {"services": [":client"]}),
        ("group_of_one_name_test", "services", 'two services are named "cache"', "one service of each name", {"services": [":cache", ":other_cache"]}),
        ("group_port_name_test", "ports", '"db": 15432', _NAMES, {"ports": {"db": 15432}}),
        ("group_port_of_worker_test", "ports", '"group_worker": 15432', _NAMES, {"ports": {"group_worker": 15432}, "services": [":cache", ":group_worker"]}),
        ("group_hides_files_test", "name", '"group_hides_files_subject", and the executable', "a name that no directory of its package has", {"services": [":group_hidden_worker"]}),
        ("group_low_port_test", "ports", '"cache": 80', "numbers from 1024 to 65535", {"ports": {"cache": 80}}),
        ("group_high_port_test", "ports", '"cache": 65536', "numbers from 1024 to 65535", {"ports": {"cache": 65536}}),
        ("group_one_port_test", "ports", '7000 for both "cache" and "needs_cache"', "a number for each service", {
            "ports": {"cache": 7000, "needs_cache": 7000},
            "services": [":needs_cache"],
        }),
    ]:
        misuse(name, service_group, attribute, found, allowed, **({"services": [":cache"]} | attrs))

# buildifier: disable=unnamed-macro
def service_group_tests():
    """Declares the tests."""
    executable_service(
        name = "group_worker",
        binary = ":program",
        ports = [],
        ready = log_ready("up"),
        tags = ["manual"],
    )
    fake_program(
        name = "group_hidden_program",
        data = ["group_hides_files_subject/settings.txt"],
        tags = ["manual"],
    )
    executable_service(
        name = "group_hidden_worker",
        binary = ":group_hidden_program",
        ports = [],
        ready = log_ready("up"),
        tags = ["manual"],
    )
    service_group(
        name = "group_subject",
        ports = {"cache": 16379},
        services = [":top"],
        tags = ["manual"],
    )
    manifest_test(
        name = "group_manifest_test",
        size = "small",
        expected = json.encode({"test": {
            "file_lists": {
                name: "%workspace%/tests/analysis/group_subject.{}.files".format(name)
                for name in ["cache", "db", "needs_cache", "top"]
            },
            "ports": {"cache": 16379},
            "runner": "services",
            "workspace": "%workspace%",
        }}),
        target_under_test = ":group_subject",
    )
    start_order_test(
        name = "group_start_order_test",
        size = "small",
        names = ["cache", "needs_cache", "db", "top"],
        needs = ["", "cache", "", "needs_cache,db"],
        target_under_test = ":group_subject",
    )
    _misuses()
