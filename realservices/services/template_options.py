"""What the command lines of all template tools share."""

from __future__ import annotations

import argparse


def name_value(text: str) -> tuple[str, str]:
    """Split NAME=VALUE, an argument of the tools.

    Raises:
        ArgumentTypeError: There is no ``=``.
    """
    name, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def add_contents_option(parser: argparse.ArgumentParser) -> None:
    """Declare the option for those who compare two builds."""
    parser.add_argument("--contents", default="", help="file to write what is in the tables to, row by row")
