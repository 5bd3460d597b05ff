package auth

// For the fuzz tests.

func ReturnTo(to string) string { return returnTo(to) }

func ParseForm(body string) (user, password, to, token string, err error) {
	f, err := parseForm(body)
	return f.user, f.password, f.to, f.token, err
}
