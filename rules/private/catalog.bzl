"""The catalogue: ready-made services, each a few lines over `executable_service`.

Addresses and passwords are the launcher's, as for every service; see docs/catalog.md.
"""

load(":executable_service.bzl", "executable_service")
load(":misuse.bzl", "misuse")
load(":names.bzl", "is_bucket_name")
load(":readiness.bzl", "tcp_ready")

# Whoever connects by hand or by a library's variables needs to know it beforehand.
_USER = "test"

def nats_service(name, *, jetstream = True, server = None, **kwargs):
    """A NATS server, fresh for each test action and gone with it.

    ```python
    nats_service(name = "bus")
    real_service_test(name = "orders_test", srcs = ["orders_test.py"], services = [":bus"], env = {"NATS_URL": "$(url :bus)"})
    ```

    `$(url :bus)` is `nats://test:<password>@127.0.0.1:<port>`; the password is random.

    Args:
      name: Name of the target, and of the service unless `service_name` says another.
      jetstream: Whether it has JetStream: streams, key-value and object stores.
      server: The server: one executable file. Default: `//third_party/nats:server`.
      **kwargs: As for `executable_service`: `service_name`, `ready_timeout_s`, `tags`, `visibility` and others.
    """
    config = str(Label(":nats.conf"))
    executable_service(
        name = name,
        args = ["--config", "$(rootpath %s)" % config, "--addr", "$(host)", "--port", "$(port)"] +
               (["--jetstream", "--store_dir", "jetstream"] if jetstream else []),
        binary = server or Label("//third_party/nats:server"),
        clients = [],
        data = [config],
        # Quoted: NATS reads the variable as it reads a value in its configuration, where 12e4 is a number.
        env = {"NATS_PASSWORD": "\"$(password)\""},
        ports = ["nats"],
        ready = tcp_ready(),
        url = "nats://%s:$(password)@$(host):$(port)" % _USER,
        **kwargs
    )

def s3_service(name, *, buckets = [], server = None, **kwargs):
    """A server of Amazon's S3 protocol, empty for each test action and gone with it.

    ```python
    s3_service(name = "objects", buckets = ["uploads"])
    real_service_test(
        name = "upload_test",
        srcs = ["upload_test.py"],
        env = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": "$(url :objects)",
            "AWS_SECRET_ACCESS_KEY": "$(password :objects)",
        },
        services = [":objects"],
    )
    ```

    Args:
      name: Name of the target, and of the service unless `service_name` says another.
      buckets: Buckets that are there from the start. Tests can make more.
      server: The server: rclone, one executable file. Default: `//third_party/s3:server`.
      **kwargs: As for `executable_service`: `service_name`, `ready_timeout_s`, `tags`, `visibility` and others.
    """
    for bucket in buckets:
        if not is_bucket_name(bucket):
            misuse(
                native.package_relative_label(name),
                "buckets",
                repr(bucket),
                "3 to 63 lower-case letters, digits, '-' and '.', with a letter or digit at both ends",
            )
    server = str(native.package_relative_label(server) if server else Label("//third_party/s3:server"))
    executable_service(
        name = name,
        args = ["$(rootpath %s)" % server, "$(host):$(port)"] + buckets,
        binary = Label(":s3_server.sh"),
        clients = [],
        data = [server],
        # A list of pairs in CSV form, hence the quotes around one of them.
        env = {"RCLONE_AUTH_KEY": "\"%s,$(password)\"" % _USER},
        ports = ["http"],
        ready = tcp_ready(),
        **kwargs
    )

def kafka_service(name, *, server = None, **kwargs):
    """A broker that speaks Kafka's protocol (Tansu, in memory), empty for each test action and gone with it.

    ```python
    kafka_service(name = "broker")
    real_service_test(
        name = "events_test",
        srcs = ["events_test.py"],
        env = {"KAFKA_BOOTSTRAP_SERVERS": "$(url :broker)"},
        services = [":broker"],
    )
    ```

    `$(url :broker)` is `127.0.0.1:<port>`, which is what clients take as bootstrap servers.

    Args:
      name: Name of the target, and of the service unless `service_name` says another.
      server: The broker: tansu, one executable file. Default: `//third_party/kafka:server`.
      **kwargs: As for `executable_service`: `service_name`, `ready_timeout_s`, `tags`, `visibility` and others.
    """
    address = "tcp://$(host):$(port)"
    executable_service(
        name = name,
        args = ["broker", "--listener-url", address, "--advertised-listener-url", address, "--storage-engine", "memory://tansu/"],
        binary = server or Label("//third_party/kafka:server"),
        clients = [],
        ports = ["kafka"],
        ready = tcp_ready(),
        # It waits for its clients on SIGTERM, and its memory is lost either way.
        stop_signal = "SIGKILL",
        url = "$(host):$(port)",
        **kwargs
    )
