package auth

// RefusalCost tells which checks a wrong password for name costs, by their
// class, where users have hashes of the given classes.
func RefusalCost(users map[string]string, name string) map[string]int {
	count := map[string]int{}
	var accounts []account
	for user, class := range users {
		accounts = append(accounts, account{name: user, hash: counted{class, count}})
	}
	b, err := newBook(accounts, UsersConfig{})
	if err != nil {
		panic(err)
	}
	if b.compare(b.users[name], []byte("wrong")) {
		panic("let in")
	}
	return count
}

type counted struct {
	name  string
	count map[string]int
}

func (c counted) verify([]byte) bool { c.count[c.name]++; return false }
func (c counted) class() string      { return c.name }
func (c counted) decoy() hash        { return refusing{c} }
