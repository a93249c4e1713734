"""What a package index says: the files of a project's page (PEP 503), and which wheel may fit an interpreter (PEP 427)."""

# What ends the name of a wheel, by platform.
_PLATFORM_TAGS = {
    "linux_arm64": ("linux", ["aarch64"]),
    "linux_x86_64": ("linux", ["x86_64"]),
    "macos_arm64": ("macosx", ["arm64", "universal2"]),
    "macos_x86_64": ("macosx", ["x86_64", "universal2"]),
}

def files_of_page(page, url):
    """Returns the URLs of a project's files by their SHA-256; files without one are left out.

    Args:
      page: the HTML.
      url: its address, which ends in "/".

    Returns:
      dict.
    """
    found = {}
    for part in page.split("href=\"")[1:]:
        link, _, digest = part.split("\"")[0].replace("&amp;", "&").partition("#sha256=")
        if digest:
            found[digest] = _absolute(link, url)
    return found

def _absolute(link, url):
    if "://" in link:
        return link
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    parts = [] if link.startswith("/") else path.split("/")[:-1]
    for part in link.lstrip("/").split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part != ".":
            parts.append(part)
    return "{}://{}/{}".format(scheme, host, "/".join(parts))

def may_fit(file, platform, python_version):
    """Returns whether a wheel may be one for an interpreter; pip decides among those that may.

    Args:
      file: its name.
      platform: as in //third_party:platforms.bzl.
      python_version: CPython version as 3.12.
    """
    parts = file.removesuffix(".whl").split("-")
    if not file.endswith(".whl") or len(parts) < 5:
        return False
    python, abi, target = parts[-3:]
    system, cpus = _PLATFORM_TAGS[platform]
    is_for_platform = target == "any" or (system in target and any([target.endswith(cpu) for cpu in cpus]))
    is_for_python = "py3" in python.split(".") or "abi3" in abi or "cp" + python_version.replace(".", "") in python.split(".")
    return is_for_platform and is_for_python

def pins_of_lock(text):
    """Returns the SHA-256 of each distribution of a hashed lock, markers left out of account.

    Args:
      text: the lock.

    Returns:
      dict of name to list.
    """
    pins, name = {}, None
    for line in text.split("\n"):
        words = line.split("#")[0].split(" ")
        if "==" in words[0]:
            name = words[0].partition("==")[0]
            pins[name] = []
        for word in words:
            if name and word.startswith("--hash=sha256:"):
                pins[name].append(word.removeprefix("--hash=sha256:"))
    return pins
