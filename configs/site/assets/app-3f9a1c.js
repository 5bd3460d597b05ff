// A page that shows every path by itself. Its name holds a hash of its content,
// as bundlers make it: a new version gets a new name.
document.getElementById("path").textContent = "You are at " + location.pathname;
