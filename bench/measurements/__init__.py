"""One module for each letter of tools/bench: what it measures, what it shows, where its bars are."""
