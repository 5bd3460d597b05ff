// An album that knows nothing of logins: whom it greets stands in Remote-User.
//
//	node photos.mjs PORT
import { createServer } from 'node:http'

// Node hands bytes over as Latin-1.
const field = (request, name) => Buffer.from(request.headers[name] ?? '', 'latin1').toString()
const escape = (text) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`)

const server = createServer((request, response) => {
  response.setHeader('Content-Type', 'text/html; charset=utf-8')
  response.end(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Photos</title>
<link rel="stylesheet" href="../style.css">
</head>
<body>
<main>
<p class="kind">JavaScript</p>
<h1>Photos of ${escape(field(request, 'remote-user')) || 'nobody'}</h1>
<p>Groups: ${escape(field(request, 'remote-groups')) || 'none'}</p>
<nav><a href="../">All applications</a> <a href="/.mountd/logout">Log out</a></nav>
</main>
</body>
</html>
`)
})
server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`))
