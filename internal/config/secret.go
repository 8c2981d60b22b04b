package config

import (
	"bytes"
	"fmt"
	"os"
)

// secrets are what was read from *_file keys, until finish puts them where they belong.
type secrets struct {
	kafkaPassword, redisPassword, key secret
}

type secret struct {
	bytes []byte
	at    place
}

func secretFile(dst func(*secrets) *secret) readFunc {
	return func(r *reader, v value) {
		if isNull(v.node) {
			return
		}
		path, ok := v.scalar()
		if !ok || path == "" {
			return
		}
		data, err := os.ReadFile(path)
		if err != nil {
			v.wrong(err.Error())
			return
		}
		data = bytes.TrimSpace(data)
		if len(data) == 0 {
			v.wrong(fmt.Sprintf("%q, which is empty", path))
			return
		}
		*dst(&r.secrets) = secret{data, v.place()}
	}
}
