package builtin

// For the tests of the layers that ask who someone is.
var (
	FormLogin     = formLogin
	ForwardedAuth = forwardedAuth
)
