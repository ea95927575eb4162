package settings

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

type byteUnit struct {
	name string
	size int64
}

var units = []byteUnit{
	{"KIB", 1 << 10}, {"MIB", 1 << 20}, {"GIB", 1 << 30}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}, {"", 1},
}

// parseBytes reads "64MiB", "1GB", "65536". "64M" is refused: it means one thing
// to some programs and another to others.
func parseBytes(text string) (int64, error) {
	digits := strings.TrimRight(text, "BGIKMbgikm ")
	u, err := strconv.ParseUint(digits, 10, 63)
	if errors.Is(err, strconv.ErrRange) {
		return 0, strconv.ErrRange
	}
	unit := strings.ToUpper(strings.TrimSpace(text[len(digits):]))
	i := slices.IndexFunc(units, func(u byteUnit) bool { return u.name == unit })
	if err != nil || i < 0 {
		return 0, strconv.ErrSyntax
	}
	if n := int64(u); n <= math.MaxInt64/units[i].size {
		return n * units[i].size, nil
	}
	return 0, strconv.ErrRange
}

// Size takes a number of bytes, with a unit or without, from low to high.
func Size(s Setting, dst *int64, low, high int64) Setting {
	s.Takes = "BYTES"
	s.Allowed = Bytes(low) + " to " + Bytes(high)
	s.Set = func(v []string) error {
		n, err := parseBytes(v[0])
		if errors.Is(err, strconv.ErrSyntax) {
			return fmt.Errorf("%q is not a size such as 64MiB, 1GB or 1000000: %s is allowed", v[0], s.Allowed)
		}
		if err != nil || n < low || n > high {
			return fmt.Errorf("%s is out of range: %s is allowed", v[0], s.Allowed)
		}
		*dst = n
		return nil
	}
	return s
}

// Bytes prints n as Size reads it, with the largest unit that divides it.
func Bytes(n int64) string {
	for _, u := range units[:3] {
		if v := n / u.size; n%u.size == 0 && v < 1024 {
			return strconv.FormatInt(v, 10) + u.name[:1] + "i" + u.name[2:]
		}
	}
	return strconv.FormatInt(n, 10)
}
