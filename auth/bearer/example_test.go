package bearer_test

import (
	"fmt"
	"net/http"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/auth/bearer"
)

// The keys of the issuer are found through its metadata, when the first token
// comes.
func Example() {
	tokens, err := bearer.New(bearer.Config{
		Issuer:   "https://id.example.com/realms/team",
		Audience: []string{"https://api.example.com"},
		Claims:   bearer.Claims{Groups: "realm_access.roles"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer tokens.Close()

	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFromContext(r.Context())
		fmt.Fprintf(w, "hello, %s of %q\n", user.Name, user.Groups)
	})
	http.Handle("/api/", auth.Wrap(tokens, api))
}

// Mistakes are told all at once.
func ExampleNew_mistakes() {
	_, err := bearer.New(bearer.Config{Secret: []byte("changeme"), Algorithms: []string{"HS256"}, Realm: `"`})
	fmt.Println(err)
	// Output:
	// secret: 8 bytes are too few for HS256 (write at least 32 random ones)
	// realm: "\"" cannot stand in a challenge (no quotes, backslashes and characters beyond ASCII)
}
