// Echo is a shop made with echo, with files and error pages of the whole site.
package main

import (
	"errors"
	"log"
	"net/http"
	"strconv"
	"time"

	"github.com/justinas/alice"
	"github.com/labstack/echo/v4"

	"github.com/mountd/mountd/dispatcher"
	"github.com/mountd/mountd/errorhandler"
	"github.com/mountd/mountd/examples/internal/public"
	"github.com/mountd/mountd/middleware/compress"
	"github.com/mountd/mountd/middleware/csrf"
	"github.com/mountd/mountd/middleware/limit"
	"github.com/mountd/mountd/middleware/requestid"
	"github.com/mountd/mountd/session"
	"github.com/mountd/mountd/session/memstore"
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
	ours, err4 := csrf.New(csrf.Config{Exempt: []string{"/hooks/**"}})
	rate, err5 := limit.NewRate(limit.RateConfig{Count: 3, Per: time.Minute})
	files, err6 := shareddata.New(shareddata.Config{
		Exports: []shareddata.Export{{Prefix: "/static", FS: public.FS}}, ScriptName: dispatcher.ScriptName,
	})
	store, err7 := memstore.New(memstore.Config{})
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7); err != nil {
		return nil, err
	}
	sessions, err := session.New(session.Config{Store: store})
	if err != nil {
		return nil, err
	}

	e := echo.New()
	e.HTTPErrorHandler = answerError
	e.GET("/", func(c echo.Context) error {
		return c.HTML(http.StatusOK, `<a href="`+dispatcher.ScriptName(c.Request())+`/items/1">one</a>`)
	})
	e.GET("/items/:id", item)
	e.POST("/items", func(c echo.Context) error { return c.NoContent(http.StatusCreated) })
	e.POST("/basket", addToBasket, echo.WrapMiddleware(sessions.Wrap))
	e.POST("/hooks/paid", func(c echo.Context) error { return c.NoContent(http.StatusNoContent) })
	e.GET("/panic", func(echo.Context) error { panic("a mistake of the programmer") })
	// WrapMiddleware makes one of ours one of echo's, for single routes.
	e.GET("/limited", func(c echo.Context) error { return c.String(http.StatusOK, "hello\n") }, echo.WrapMiddleware(rate.Wrap))

	// An Echo is a handler. What is for the whole site stands around it.
	mounts, err := dispatcher.New(dispatcher.Config{Mounts: []dispatcher.Mount{
		{Pattern: "/shop", Handler: alice.New(ours.Wrap, files.Wrap).Then(e)},
	}})
	if err != nil {
		return nil, err
	}
	return alice.New(ids.Wrap, errs.Wrap, small.Wrap).Then(mounts.Wrap(nil)), nil
}

// answerError hands echo's errors to the errors layer. Other errors keep what
// they say of themselves.
func answerError(err error, c echo.Context) {
	var theirs *echo.HTTPError
	if errors.As(err, &theirs) {
		message, _ := theirs.Message.(string)
		err = &errorhandler.HTTPError{Status: theirs.Code, Message: message, Err: theirs.Internal}
	}
	errorhandler.Error(c.Response(), c.Request(), err)
}

// addToBasket counts what a visitor wants. Update holds when two requests of one
// visitor come at once.
func addToBasket(c echo.Context) error {
	s := session.FromRequest(c.Request())
	s.Update("items", func(old string) string {
		n, _ := strconv.Atoi(old) // "" before the first
		return strconv.Itoa(n + 1)
	})
	if err := s.Err(); err != nil { // the store is away
		return err
	}
	return c.String(http.StatusOK, s.Get("items")+" in the basket\n")
}

func item(c echo.Context) error {
	switch id := c.Param("id"); id {
	case "1":
		return c.JSON(http.StatusOK, map[string]string{"id": id})
	case "2":
		return echo.NewHTTPError(http.StatusGone, "it was sold")
	default:
		return &errorhandler.HTTPError{Status: http.StatusNotFound, Message: "there is no item " + id}
	}
}
