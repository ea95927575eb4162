package ws

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// JSON returns a Decode for messages that are one JSON value each, in a text frame. A field
// that In does not have is an error, and so is anything behind the value. check, which may be
// nil, validates what was decoded, and may complete it.
func JSON[In any](check func(*In) error) func(binary bool, data []byte) (In, error) {
	return func(binary bool, data []byte) (In, error) {
		var in, none In
		if binary {
			return none, errors.New("a message is JSON in a text frame, not binary")
		}
		d := json.NewDecoder(bytes.NewReader(data))
		d.DisallowUnknownFields()
		if err := d.Decode(&in); err != nil {
			return none, fmt.Errorf("not the JSON that is wanted: %w", err)
		}
		if _, err := d.Token(); err != io.EOF {
			return none, errors.New("not the JSON that is wanted: there is something behind the value")
		}
		if check != nil {
			if err := check(&in); err != nil {
				return none, err
			}
		}
		return in, nil
	}
}
