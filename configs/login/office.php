<?php
// An office that knows nothing of logins: whom it greets stands in Remote-User.
//
//	php -S 127.0.0.1:PORT office.php
$user = htmlspecialchars($_SERVER['HTTP_REMOTE_USER'] ?? '') ?: 'nobody';
$groups = htmlspecialchars($_SERVER['HTTP_REMOTE_GROUPS'] ?? '') ?: 'none';
header('Content-Type: text/html; charset=utf-8');
?>
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Office</title>
<link rel="stylesheet" href="../style.css">
</head>
<body>
<main>
<p class="kind">PHP</p>
<h1>Office of <?= $user ?></h1>
<p>Groups: <?= $groups ?></p>
<nav><a href="../">All applications</a> <a href="/.mountd/logout">Log out</a></nav>
</main>
</body>
</html>
