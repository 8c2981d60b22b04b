package ingest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"sendwatch/internal/ingest/verify"
)

// maxFetched bounds what is fetched: a certificate, or the answer to a confirmation.
const maxFetched = 64 << 10

// HTTPFetch gets what is behind an https URL. It follows no redirect: those who ask have looked at the URL's host.
func HTTPFetch(timeout time.Duration) verify.Fetch {
	return fetchOver(&http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, TLSHandshakeTimeout: timeout, MaxResponseHeaderBytes: maxFetched}, timeout)
}

func fetchOver(transport http.RoundTripper, timeout time.Duration) verify.Fetch {
	client := &http.Client{Timeout: timeout, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return func(ctx context.Context, u *url.URL) ([]byte, error) { return get(ctx, client, u) }
}

func get(ctx context.Context, client *http.Client, u *url.URL) ([]byte, error) {
	if u.Scheme != "https" {
		return nil, fmt.Errorf("%s: only https is fetched", u.Host)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, withoutURL(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", u.Host, answer.Status)
	}
	return io.ReadAll(io.LimitReader(answer.Body, maxFetched))
}

// withoutURL leaves out the URL, which for a confirmation holds its secret.
func withoutURL(err error) error {
	if e, ok := err.(*url.Error); ok { //nolint:errorlint // what client.Do returns
		return e.Err
	}
	return err
}
