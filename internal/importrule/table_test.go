package importrule_test

// The rows, from what all stand on to what stands on all. A package imports
// packages of lower rows only, never its siblings: those meet through function
// fields, the request's context and small interfaces.
const (
	ground   = iota // what two packages need
	parts           // middlewares, backends and what the front door is made of
	stacking        // compose
	workings        // operator's spelling, mount table, listeners
	assembly        // a table becomes a handler
	commands        // command line
	module          // the root package
	program         // cmd
)

// A rule is what a package may import.
type rule struct {
	row   int
	alone bool     // nothing of ours at all
	also  []string // siblings that are allowed all the same
	never []string // lower packages that are not
	third []string // other people's modules
}

// rules is the architecture. A package that is not here fails the tests.
var rules = map[string]rule{
	"internal/canonical":  {row: ground, alone: true},
	"internal/httpwrap":   {row: ground, alone: true},
	"internal/importrule": {row: ground, alone: true},
	"internal/logtext":    {row: ground, alone: true},
	"internal/option":     {row: ground, alone: true},
	"internal/request":    {row: ground, also: []string{"internal/httpwrap"}},
	"internal/terminal":   {row: ground, alone: true, third: []string{"golang.org/x/term"}},
	"internal/issuer":     {row: ground, alone: true, third: []string{"github.com/go-jose/go-jose/v4"}},
	"internal/wire":       {row: ground, alone: true},

	"auth":                {row: parts, third: []string{"golang.org/x/crypto"}},
	"dispatcher":          {row: parts},
	"errorhandler":        {row: parts},
	"rebase":              {row: parts},
	"session":             {row: parts},
	"shareddata":          {row: parts},
	"internal/condition":  {row: parts},
	"internal/frontdoor":  {row: parts},
	"internal/httpserver": {row: parts, third: []string{"golang.org/x/sys"}},

	// What brings heavy modules stands in packages of its own beside the one
	// that it extends.
	"auth/bearer":         {row: parts, also: []string{"auth"}, third: []string{"github.com/go-jose/go-jose/v4", "golang.org/x/crypto"}},
	"auth/oidc":           {row: parts, also: []string{"auth"}, third: []string{"github.com/go-jose/go-jose/v4", "golang.org/x/crypto", "golang.org/x/oauth2"}},
	"session/memstore":    {row: parts, also: []string{"session"}},
	"session/cookiestore": {row: parts, also: []string{"session"}},
	"session/redisstore":  {row: parts, also: []string{"session"}, third: []string{"github.com/redis/rueidis"}},
	"session/sqlitestore": {row: parts, also: []string{"session"}, third: []string{"modernc.org/sqlite"}},
	"session/storetest":   {row: parts, also: []string{"session"}},

	"backend/cascade":  {row: parts},
	"backend/proxy":    {row: parts},
	"backend/redirect": {row: parts},
	"backend/respond":  {row: parts},
	"backend/sendfile": {row: parts},
	"backend/switcher": {row: parts},

	"middleware/accesslog":     {row: parts},
	"middleware/compress":      {row: parts, third: []string{"github.com/andybalholm/brotli", "github.com/klauspost/compress"}},
	"middleware/cors":          {row: parts, third: []string{"github.com/rs/cors"}},
	"middleware/csrf":          {row: parts},
	"middleware/headers":       {row: parts},
	"middleware/ipfilter":      {row: parts},
	"middleware/limit":         {row: parts},
	"middleware/requestid":     {row: parts},
	"middleware/rewrite":       {row: parts},
	"middleware/secureheaders": {row: parts},
	"middleware/timeout":       {row: parts},

	"compose": {row: stacking, alone: true, third: []string{"github.com/justinas/alice"}},

	"internal/builtin":   {row: workings, third: []string{"github.com/justinas/alice"}},
	"internal/mountfile": {row: workings, alone: true, third: []string{"gopkg.in/yaml.v3"}},
	"internal/control":   {row: workings, alone: true},
	"internal/schema":    {row: workings, alone: true},
	"internal/server":    {row: workings, third: []string{"golang.org/x/sys"}},

	// assemble gets the tables of builtin as values, so that tests can pass
	// others.
	"internal/assemble": {row: assembly, never: []string{"internal/builtin"}, third: []string{"github.com/justinas/alice"}},

	"internal/cli": {row: commands, third: []string{"github.com/justinas/alice", "golang.org/x/crypto", "golang.org/x/term"}},
	".":            {row: module},
	"cmd/mountd":   {row: program},

	"internal/e2e":           {row: program, alone: true}, // tests alone
	"configs/demo/guestbook": {row: program, alone: true},
}
