// Gin is a site made with gin, with one of our middlewares on a single route
// and the rest around it.
package main

import (
	"errors"
	"log"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/justinas/alice"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/dispatcher"
	"github.com/mountd/mountd/errorhandler"
	"github.com/mountd/mountd/examples/internal/public"
	"github.com/mountd/mountd/middleware/compress"
	"github.com/mountd/mountd/middleware/limit"
	"github.com/mountd/mountd/middleware/requestid"
	"github.com/mountd/mountd/middleware/secureheaders"
	"github.com/mountd/mountd/shareddata"
)

func main() {
	h, err := handler()
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", h))
}

func handler() (http.Handler, error) {
	ids, err1 := requestid.New(requestid.Config{})
	errs, err2 := errorhandler.New(errorhandler.Config{})
	small, err3 := compress.New(compress.Config{})
	careful, err4 := secureheaders.New(secureheaders.Config{CSP: "default-src 'self'"})
	rate, err5 := limit.NewRate(limit.RateConfig{Count: 3, Per: time.Minute})
	files, err6 := shareddata.New(shareddata.Config{Exports: []shareddata.Export{{Prefix: "/static", FS: public.FS}}})
	gate, err7 := newGate()
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7); err != nil {
		return nil, err
	}

	gin.SetMode(gin.ReleaseMode)
	g := gin.New() // without gin.Recovery: panics are for the errors layer
	g.Use(answerErrors)
	g.NoRoute(func(c *gin.Context) { fail(c, &errorhandler.HTTPError{Status: http.StatusNotFound}) })
	g.GET("/items/:id", func(c *gin.Context) {
		if id := c.Param("id"); id != "1" {
			_ = c.Error(&errorhandler.HTTPError{Status: http.StatusNotFound, Message: "there is no item " + id})
			return
		}
		c.JSON(http.StatusOK, gin.H{"self": dispatcher.ScriptName(c.Request) + "/items/1"})
	})
	g.GET("/panic", func(*gin.Context) { panic("a mistake of the programmer") })
	g.GET("/limited", adapt(rate.Wrap), func(c *gin.Context) { c.String(http.StatusOK, "hello\n") })

	g.GET("/orders", adapt(gate.Wrap), func(c *gin.Context) {
		user, _ := auth.UserFromContext(c.Request.Context()) // nobody else comes here
		c.JSON(http.StatusOK, gin.H{"user": user.Name, "by": user.Method})
	})

	// An Engine is a handler. What is for the whole site stands around it.
	mounts, err := dispatcher.New(dispatcher.Config{Mounts: []dispatcher.Mount{{Pattern: "/shop", Handler: g}}})
	if err != nil {
		return nil, err
	}
	return alice.New(ids.Wrap, errs.Wrap, small.Wrap, careful.Wrap, files.Wrap).Then(mounts.Wrap(nil)), nil
}

// newGate lets people in with a password, and programs with a key.
func newGate() (*auth.Gate, error) {
	users, err1 := auth.NewUsers(auth.UsersConfig{
		// The password is "example"; File is for users of a real site.
		Inline: map[string]string{"joe": "$2a$10$JqVwCZaYE0UgoRJXI53O..KKtMCO1GglGk9sH84adah3kUoLctk3q"},
	})
	keys, err2 := auth.NewKey(auth.KeyConfig{Keys: map[string]string{
		"ci": "50d858e0985ecc7f60418aaf0cc5ab587f42c2570a884095a9e8ccacd0f6545c", // of "example"; a real one is random
	}})
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	password, err := auth.NewBasic(auth.BasicConfig{Users: users})
	if err != nil {
		return nil, err
	}
	return auth.NewGate(auth.GateConfig{Methods: []auth.Method{password, keys}, ErrorFunc: errorhandler.Error})
}

// answerErrors hands the last error of a request to the errors layer, unless
// it has been answered.
func answerErrors(c *gin.Context) {
	c.Next()
	if last := c.Errors.Last(); last != nil && !c.Writer.Written() {
		fail(c, last.Err)
	}
}

func fail(c *gin.Context, err error) {
	errorhandler.Error(c.Writer, c.Request, err)
	c.Abort()
}

// adapt makes one of our middlewares one of gin's. A layer that changes the
// answer's body has to stand around the Engine instead: gin's writer is an
// interface of its own, which nothing from outside can stand in for.
func adapt(wrap func(http.Handler) http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		passed := false
		next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			passed, c.Request = true, r
			c.Next()
		})
		wrap(next).ServeHTTP(c.Writer, c.Request)
		if !passed {
			c.Abort()
		}
	}
}
