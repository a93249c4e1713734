"""What all kinds of services have in common in the rules: the fields of one, which `$(field label)` stands for."""

def kind_info(*, name, fields, url_forms = [], programs = []):
    """Describes a kind for the rule that declares its services.

    Args:
      name: string, as the manifest says.
      fields: list of strings: what a test can ask of a service by `$(field label)`.
      url_forms: list of strings: what may follow the label in `$(url …)`.
      programs: list of strings: clients that `on_path` may ask for.

    Returns:
      struct of these.
    """
    return struct(fields = fields, name = name, programs = programs, url_forms = url_forms)

def port_names(service):
    """Returns the names of a service's ports, the main one first.

    Args:
      service: ServiceInfo.
    """
    return service.config.get("ports", [service.kind])

# Every word that, in `$(word label)`, speaks of a service.
FIELDS = ["database", "host", "password", "port", "socket", "url", "user", "websocket_url"]
