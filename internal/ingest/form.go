package ingest

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"

	"github.com/go-json-experiment/json/jsontext"

	"sendwatch/internal/event/jsonvalue"
)

// maxFields bounds a form. The webhooks of Mailgun that were forms had some thirty fields and the sender's variables.
const maxFields = 1000

// parseForm reads a body that is a form, by its content type; any other body gives nil. Amazon SNS sends JSON as text/plain, and
// others send none, so that everything else is taken for JSON.
func parseForm(contentType string, body []byte) (url.Values, error) {
	mediaType, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, nil // absent or unreadable
	}
	var form url.Values
	switch mediaType {
	case "application/x-www-form-urlencoded":
		if bytes.Count(body, []byte("&")) >= maxFields {
			err = errors.New("too many fields")
			break
		}
		form, err = url.ParseQuery(string(body))
	case "multipart/form-data":
		form, err = parseMultipart(body, params["boundary"])
	default:
		return nil, nil
	}
	if err != nil {
		return nil, refuse(Malformed, http.StatusBadRequest, "the body is not the form that its Content-Type says")
	}
	return form, nil
}

// parseMultipart reads the fields and skips the files.
func parseMultipart(body []byte, boundary string) (url.Values, error) {
	if boundary == "" {
		return nil, errors.New("no boundary")
	}
	form := url.Values{}
	for r, n := multipart.NewReader(bytes.NewReader(body), boundary), 0; ; n++ {
		part, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return form, nil
		}
		if err != nil {
			return nil, err
		}
		if n == maxFields {
			return nil, errors.New("too many fields")
		}
		if part.FileName() != "" {
			continue
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return nil, err
		}
		form.Add(part.FormName(), string(value))
	}
}

// fromForm turns a form into the JSON that the format's decoder reads.
func fromForm(format string, form url.Values) ([]byte, error) {
	isMandrill, isMailgun := form.Has(mandrillEvents), form.Has("event") && form.Has("timestamp")
	switch {
	case isMandrill && (format == "mandrill" || format == "auto"):
		return fromMandrill(form.Get(mandrillEvents)), nil
	case isMailgun && (format == "mailgun" || format == "auto"):
		return fromMailgun(form)
	case format == "mandrill" || format == "mailgun" || format == "auto":
		return nil, refuse(Malformed, http.StatusBadRequest, "the form has neither mandrill_events nor event and timestamp")
	}
	return nil, refuse(Malformed, http.StatusUnsupportedMediaType, "the body is a form; payloads of the format %s are JSON", format)
}

const mandrillEvents = "mandrill_events"

// fromMandrill opens the one field that Mandrill's forms have. A text that is no batch is kept as one: its reader rejects it.
//
// https://mandrill.zendesk.com/hc/en-us/articles/360038740594-Webhook-Format
func fromMandrill(text string) []byte {
	out := []byte(`{"` + mandrillEvents + `":`)
	var batch jsonvalue.Batch
	if first := jsonvalue.SkipSpace([]byte(text)); len(first) > 0 && first[0] == '[' {
		if _, err := batch.Split([]byte(text)); err == nil {
			return append(append(out, text...), '}')
		}
	}
	out, _ = jsontext.AppendQuote(out, text) // what is not UTF-8 is replaced, as the reader would
	return append(out, '}')
}
