"""What keeps one test from seeing another: a folder per kind of service; what serves all kinds lies beside them."""
