"""Wheels by Bazel's own downloader, from an index that the user names, in place of the machine's pip.

So they are in the repository cache, `--distdir` and the downloader's configuration hold for them, and a credential helper is asked.
"""

load(":fetch_repo.bzl", "apparent_name")
load(":index_pages.bzl", "files_of_page", "may_fit")

_DIRECTORY = "wheels"

def download_wheels(rctx, pins, *, platform, python_version):
    """Downloads every pinned wheel that may fit.

    Args:
      rctx: context of a rule with the attribute `index_url`; without a value nothing is done.
      pins: dict of a distribution's name to the list of SHA-256 that are accepted.
      platform: as in //third_party:platforms.bzl.
      python_version: CPython version as 3.12.

    Returns:
      the absolute path of a directory, or "" where pip shall ask its index.
    """
    if not rctx.attr.index_url:
        return ""
    if not rctx.attr.index_url.startswith(("https://", "file://")):
        # Bazel downloads no page by plain HTTP: it could be anybody's, and has no checksum.
        fail("@{}: index_url is {}; expected https://… or file://….".format(apparent_name(rctx), repr(rctx.attr.index_url)))
    for name, digests in pins.items():
        url = "{}/{}/".format(rctx.attr.index_url.rstrip("/"), name.lower().replace("_", "-").replace(".", "-"))
        page = "page.html"
        rctx.download(url + ("index.html" if url.startswith("file://") else ""), output = page)
        files = files_of_page(rctx.read(page), url)
        rctx.delete(page)
        if not any([digest in files for digest in digests]):
            fail("@{}: {} has no file of {} with a pinned SHA-256 ({}). A mirror may lack the version; without index_url pip is asked.".format(
                apparent_name(rctx),
                url,
                name,
                ", ".join([digest[:12] for digest in digests[:3]]),
            ))
        for digest in digests:
            file = files.get(digest, "").split("/")[-1]
            if may_fit(file, platform, python_version):
                rctx.download(files[digest], output = "{}/{}".format(_DIRECTORY, file), sha256 = digest)
    return str(rctx.path(_DIRECTORY))
