"""What a release is made by, with tools/release: version, changelog, and the distributions for PyPI."""
