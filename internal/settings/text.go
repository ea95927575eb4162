package settings

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Choice stores one of a few words by calling store.
func Choice(s Setting, words []string, store func(string) error) Setting {
	s.Takes = strings.Join(words, "|")
	s.Set = func(v []string) error {
		for _, w := range words {
			if w == v[0] {
				return store(w)
			}
		}
		return fmt.Errorf("%q is not allowed: %s or %s is", v[0], strings.Join(words[:len(words)-1], ", "), words[len(words)-1])
	}
	return s
}

// Path takes the name of a file or folder; "" is one, too.
func Path(s Setting, dst *string) Setting {
	s.Set = func(v []string) error {
		if strings.ContainsRune(v[0], 0) {
			return fmt.Errorf("%q is not a path", v[0])
		}
		*dst = v[0]
		return nil
	}
	return s
}

// List takes any number of values, each of which check has to take.
func List(s Setting, dst *[]string, check func(string) error) Setting {
	s.List = true
	s.Set = func(values []string) error {
		for _, v := range values {
			if err := check(v); err != nil {
				return err
			}
		}
		*dst = values
		return nil
	}
	return s
}

// Toggle is off unless the flag stands there, alone or with a word for true.
func Toggle(s Setting, dst *bool) Setting {
	s.Default, s.DefaultText, s.bare = "false", "off", true
	s.Set = func(v []string) error {
		on, err := strconv.ParseBool(v[0])
		if err != nil {
			return fmt.Errorf("%q is not allowed: it stands alone, or is true or false", v[0])
		}
		*dst = on
		return nil
	}
	return s
}

// Secret takes a bearer token (RFC 6750 section 2.1). It is not quoted in errors.
func Secret(s Setting, dst *string) Setting {
	s.Set = func(v []string) error {
		for _, c := range []byte(v[0]) {
			if c <= ' ' || c >= 0x7f {
				return errors.New("it has characters that no token has")
			}
		}
		*dst = v[0]
		return nil
	}
	return s
}
