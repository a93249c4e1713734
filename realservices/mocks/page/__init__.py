"""The page of a scan: one HTML file with its style in it, which needs no script, no network and no server."""

from realservices.mocks.page.render import render

__all__ = ["render"]
