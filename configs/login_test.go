package configs_test

import (
	"os/exec"
	"testing"
)

// threeApplications starts the applications of login.yaml, and gives the site.
func threeApplications(t *testing.T) string {
	t.Helper()
	python, node, php := need(t, "python3", "python3"), need(t, "node", "nodejs"), need(t, "php", "php-cli")
	return listen(t, load(t, "login.yaml",
		"USERS", people(t, "joe", "ann"),
		"NOTES", started(t, exec.Command(python, "login/notes.py", "0")),
		"PHOTOS", started(t, exec.Command(node, "login/photos.mjs", "0")),
		"OFFICE", started(t, exec.Command(php, "-S", "127.0.0.1:0", "login/office.php"))))
}

func TestOneLoginForThreeApplications(t *testing.T) {
	site := threeApplications(t)
	joe := newVisitor(t)
	page := joe.get(site + "/photos/?album=1")
	page.is(t, 200, "/.mountd/login", "Log in")
	page = joe.submit(page, "username", "joe", "password", "wrong")
	page.is(t, 401, "/.mountd/login", "not right")
	page = joe.submit(page, "username", "joe", "password", "right")
	page.is(t, 200, "/photos/", "Photos of joe", "Groups: admins")
	if page.Request.URL.RawQuery != "album=1" {
		t.Errorf("the login leads to %s", page.Request.URL)
	}
	joe.get(site+"/notes/").is(t, 200, "/notes/", "Notes of joe")
	joe.get(site+"/office/").is(t, 200, "/office/", "Office of joe")

	ann := newVisitor(t)
	ann.submit(ann.get(site+"/notes/"), "username", "ann", "password", "right").is(t, 200, "/notes/", "Notes of ann", "Groups: none")
	ann.get(site+"/office/").is(t, 403, "/office/", "Forbidden")
	newVisitor(t).get(site+"/about").is(t, 200, "/about", "open")

	joe.submit(joe.get(site+"/.mountd/logout")).is(t, 200, "/.mountd/logout", "Logged out")
	joe.get(site+"/notes/").is(t, 200, "/.mountd/login", "Log in")
	ann.get(site+"/notes/").is(t, 200, "/notes/", "Notes of ann")
}

// The same with a real browser, by keyboard and mouse.
func TestALoginInABrowser(t *testing.T) {
	need(t, "chromium", "chromium")
	site := threeApplications(t)
	b := newChromium(t)
	defer b.quiet()

	b.open(site + "/notes/")
	b.shows("/.mountd/login", "Log in")
	b.look("login")
	b.write("username", "joe")
	b.press("Tab")
	b.write("password", "wrong")
	b.press("Enter")
	b.shows("/.mountd/login", "not right")
	b.look("wrong")
	b.write("password", "right") // the name is still there
	b.press("Enter")
	b.shows("/notes/", "Notes of joe")
	b.look("notes")

	b.click("All applications")
	b.shows("/", "All applications")
	b.look("home")
	b.click("Photos")
	b.shows("/photos/", "Photos of joe")
	b.look("photos")
	b.click("All applications")
	b.shows("/", "All applications")
	b.click("Office")
	b.shows("/office/", "Office of joe")
	b.look("office")

	b.click("Log out")
	b.shows("/.mountd/logout", "You are logged in as joe")
	b.look("logout")
	b.click("Log out")
	b.shows("/.mountd/logout", "Logged out")
	b.look("logged-out")
	b.back(site + "/office/") // the browser has kept nothing
	b.shows("/.mountd/login", "Log in")
	for _, path := range []string{"/notes/", "/photos/", "/office/"} {
		b.open(site + path)
		b.shows("/.mountd/login", "Log in")
		b.until("new URLSearchParams(location.search).get('to') == '" + path + "'")
	}

	// Somebody else, who may not see everything.
	b.write("username", "ann")
	b.press("Tab")
	b.write("password", "right")
	b.press("Enter")
	b.shows("/office/", "Forbidden")
	b.look("forbidden")
	b.open(site + "/notes/")
	b.shows("/notes/", "Notes of ann")
}
