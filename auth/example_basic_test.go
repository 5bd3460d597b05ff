package auth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/mountd/mountd/auth"
)

// Two ways to log in, one gate.
func ExampleGate() {
	users, err := auth.NewUsers(auth.UsersConfig{
		Inline: map[string]string{"joe": "$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/"}, // test
		Groups: map[string][]string{"staff": {"joe"}},
	})
	if err != nil {
		panic(err)
	}
	defer users.Close()
	basic, err := auth.NewBasic(auth.BasicConfig{Users: users, Realm: "Team"})
	if err != nil {
		panic(err)
	}
	key, err := auth.NewKey(auth.KeyConfig{Keys: map[string]string{"ci": "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683"}}) // key
	if err != nil {
		panic(err)
	}
	gate, err := auth.NewGate(auth.GateConfig{Methods: []auth.Method{basic, key}})
	if err != nil {
		panic(err)
	}
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFromContext(r.Context())
		fmt.Fprintf(w, "hello %s, by %s", user.Name, user.Method)
	})
	site := gate.Wrap(hello)

	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, credentials := range []func(){func() {}, func() { r.SetBasicAuth("joe", "test") }, func() { r.Header = http.Header{"X-Api-Key": {"key"}} }} {
		credentials()
		w := httptest.NewRecorder()
		site.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Body, w.Header()["Www-Authenticate"])
	}
	// Output:
	// 401 401 Unauthorized
	//  [Basic realm="Team", charset="UTF-8" ApiKey header="X-Api-Key"]
	// 200 hello joe, by basic []
	// 200 hello ci, by key []
}
