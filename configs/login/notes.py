"""A notebook that knows nothing of logins: whom it greets stands in Remote-User.

    python3 notes.py PORT
"""

import sys
from html import escape
from wsgiref.simple_server import make_server

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Notes</title>
<link rel="stylesheet" href="../style.css">
</head>
<body>
<main>
<p class="kind">Python</p>
<h1>Notes of {user}</h1>
<p>Groups: {groups}</p>
<nav><a href="../">All applications</a> <a href="/.mountd/logout">Log out</a></nav>
</main>
</body>
</html>
"""


def application(environ, start_response):
    def header(name):  # WSGI hands bytes over as Latin-1
        return escape(environ.get(name, "").encode("latin-1").decode())

    page = PAGE.format(user=header("HTTP_REMOTE_USER") or "nobody", groups=header("HTTP_REMOTE_GROUPS") or "none")
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
    return [page.encode()]


with make_server("127.0.0.1", int(sys.argv[1]), application) as server:
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
