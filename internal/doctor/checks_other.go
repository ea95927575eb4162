//go:build !linux

package doctor

import (
	"context"
	"runtime"
)

func checks() []check {
	return []check{{"system", func(context.Context, *Board) []Finding {
		return []Finding{unseen("", "the system is %s, and doctor knows Linux alone", runtime.GOOS)}
	}}}
}

func (k Kernel) orDefault() Kernel { return k }
