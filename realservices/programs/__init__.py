"""Server programs that come with the package. They stand alone: nothing else of the package is imported by them."""
