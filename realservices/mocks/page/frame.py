"""The page's frame and its style: text, so that they are in the package's archive as its modules are."""

FRAME = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>@@TITLE@@</title>
<style>
@@STYLE@@
</style>
</head>
<body>
<a class="skip" href="#services">Skip to what they stand for</a>
<main id="page">
@@BODY@@
</main>
</body>
</html>
"""
"""HTML with the names of its parts between `@@`."""
