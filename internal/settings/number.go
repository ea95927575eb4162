package settings

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration takes what time.ParseDuration does, from low to high.
func Duration(s Setting, dst *time.Duration, low, high time.Duration) Setting {
	s.Takes = "DURATION"
	s.Allowed = ShortDuration(low) + " to " + ShortDuration(high)
	s.Set = func(v []string) error {
		d, err := time.ParseDuration(v[0])
		if err != nil {
			return fmt.Errorf("%q is not a duration such as %s: %s is allowed", v[0], s.Default, s.Allowed)
		}
		if d < low || d > high {
			return fmt.Errorf("%s is out of range: %s is allowed", v[0], s.Allowed)
		}
		*dst = d
		return nil
	}
	return s
}

// ShortDuration prints 1m as "1m" rather than "1m0s".
func ShortDuration(d time.Duration) string {
	text := strings.TrimSuffix(d.String(), "m0s")
	if text != d.String() {
		text += "m"
	}
	return text
}

// Number takes a whole number from low to high.
func Number(s Setting, dst *int, low, high int) Setting {
	s.Takes = "NUMBER"
	s.Allowed = fmt.Sprintf("%d to %d", low, high)
	s.Set = func(v []string) error {
		n, err := strconv.Atoi(v[0])
		if errors.Is(err, strconv.ErrSyntax) {
			return fmt.Errorf("%q is not a whole number: %s is allowed", v[0], s.Allowed)
		}
		if err != nil || n < low || n > high {
			return fmt.Errorf("%s is out of range: %s is allowed", v[0], s.Allowed)
		}
		*dst = n
		return nil
	}
	return s
}

// Decimal takes a number from low to high.
func Decimal(s Setting, dst *float64, low, high float64) Setting {
	s.Takes = "NUMBER"
	s.Allowed = fmt.Sprintf("%g to %.0f", low, high)
	s.Set = func(v []string) error {
		n, err := strconv.ParseFloat(v[0], 64)
		if errors.Is(err, strconv.ErrSyntax) {
			return fmt.Errorf("%q is not a number: %s is allowed", v[0], s.Allowed)
		}
		if err != nil || !(n >= low && n <= high) {
			return fmt.Errorf("%s is out of range: %s is allowed", v[0], s.Allowed)
		}
		*dst = n
		return nil
	}
	return s
}
