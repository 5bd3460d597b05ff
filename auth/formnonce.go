package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
)

const nonceName = "mountd_login"

// The cookie that binds the login page to the browser it was sent to. It outlives
// a login: the page may be open in another tab.
func nonceCookie(r *http.Request) (name string, secure bool) {
	if scheme, _ := seenAs(r); scheme == "https" {
		return "__Host-" + nonceName, true
	}
	return nonceName, false
}

// nonceOf gives the value of the cookie. Two of them are none: one may have been
// planted.
func nonceOf(r *http.Request) (string, bool) {
	name, _ := nonceCookie(r)
	found := r.CookiesNamed(name)
	if len(found) != 1 || len(found[0].Value) < 26 || len(found[0].Value) > 64 {
		return "", false
	}
	return found[0].Value, true
}

func setNonce(w http.ResponseWriter, r *http.Request, nonce string) {
	name, secure := nonceCookie(r)
	http.SetCookie(w, &http.Cookie{Name: name, Value: nonce, Path: "/", HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode})
}

// tokenOf gives what the form must say, which only a page can know that was
// sent to the browser with this cookie. It needs no key of ours, so that any
// machine behind one address takes the form; where a neighbour could plant a
// cookie, the form's origin is what keeps it out.
func tokenOf(nonce string) string {
	mac := hmac.New(sha256.New, []byte(nonce))
	mac.Write([]byte("mountd login form"))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
