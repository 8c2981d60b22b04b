package chaos

import (
	"testing"

	"go.uber.org/goleak"
)

// What the tests start has to end with them. The proxy library alone leaves goroutines of links whose toxics were on a connection
// that broke; they end with the process, and the product has none of it.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"))
}
