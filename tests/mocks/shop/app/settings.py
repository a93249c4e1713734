"""Settings from files."""

import json
import os
from pathlib import Path


def load(path):
    if not os.path.exists(path):
        return {}
    with open(path) as file:
        return json.load(file)


def read_motd(path):
    return Path(path).read_text().strip()


def save(path, text):
    with open(path, "w") as file:
        file.write(text)


def is_installed():
    return os.path.exists("installed.marker")
