package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// client asks a running service over its HTTP API.
type client struct {
	server    string
	tokenFile string
	caFile    string
	timeout   time.Duration
	output    string
}

// flags adds the flags that every question has.
func (c *client) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.server, "server", envOr("SENDWATCH_SERVER", "http://127.0.0.1:8225"), "where the service answers (SENDWATCH_SERVER)")
	f.StringVar(&c.tokenFile, "token-file", os.Getenv("SENDWATCH_TOKEN_FILE"), "file with the bearer token (SENDWATCH_TOKEN_FILE)")
	f.StringVar(&c.caFile, "ca-file", "", "certificates to trust instead of the system's")
	f.DurationVar(&c.timeout, "timeout", 30*time.Second, "how long to wait for the answer")
	f.StringVarP(&c.output, "output", "o", "table", "table or json")
	cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp))
}

func envOr(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

func (c *client) checkOutput() error {
	if c.output != "table" && c.output != "json" {
		return usagef("--output is %q, expected table or json", c.output)
	}
	return nil
}

// do sends one request and returns the answer's body, or the problem that the service names.
func (c *client) do(ctx context.Context, method, path string, query url.Values, contentType string, body io.Reader) (io.ReadCloser, error) {
	if err := c.checkOutput(); err != nil {
		return nil, err
	}
	target := strings.TrimSuffix(c.server, "/") + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, usagef("--server %q: %v", c.server, err)
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	if c.tokenFile != "" {
		token, err := os.ReadFile(c.tokenFile)
		if err != nil {
			return nil, fmt.Errorf("token: %w", err)
		}
		request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	transport, err := c.transport()
	if err != nil {
		return nil, err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w (is the service running there? --server, or SENDWATCH_SERVER, says where it is)", err)
	}
	if response.StatusCode/100 == 2 {
		return response.Body, nil
	}
	defer response.Body.Close()
	return nil, problemOf(response)
}

func (c *client) transport() (*http.Transport, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = c.timeout
	if c.caFile == "" {
		return transport, nil
	}
	pem, err := os.ReadFile(c.caFile)
	if err != nil {
		return nil, fmt.Errorf("--ca-file: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--ca-file %s holds no PEM certificate", c.caFile)
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return transport, nil
}

// problemOf reads an error as RFC 9457 writes it. A mistake in the request is one of usage.
func problemOf(response *http.Response) error {
	var problem struct {
		Title, Detail string
	}
	body, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	err := fmt.Errorf("the service answered %s", response.Status)
	if json.Unmarshal(body, &problem) == nil && problem.Detail != "" {
		err = errors.New(problem.Detail)
	}
	if response.StatusCode == http.StatusBadRequest {
		return &exitError{exitUsage, err}
	}
	return err
}

// get asks and reads the answer into dst; with -o json it is printed as it came and dst stays useful all the same.
func (c *client) get(cmd *cobra.Command, path string, query url.Values, dst any) error {
	return c.ask(cmd, http.MethodGet, path, query, "", nil, dst)
}

func (c *client) ask(cmd *cobra.Command, method, path string, query url.Values, contentType string, body io.Reader, dst any) error {
	answer, err := c.do(cmd.Context(), method, path, query, contentType, body)
	if err != nil {
		return err
	}
	defer answer.Close()
	text, err := io.ReadAll(answer)
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if err := json.Unmarshal(text, dst); err != nil {
		return fmt.Errorf("the answer of %s is not what this version expects: %w", c.server+path, err)
	}
	if c.output == "json" {
		return printJSON(cmd.OutOrStdout(), text)
	}
	return nil
}

// setQuery puts the given parameters into a query, leaving out empty ones.
func setQuery(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}
