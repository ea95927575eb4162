package names

import (
	"slices"
	"unicode"
)

const (
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
	emojiStyle         = '\ufe0f' // variation selector 16: "as a picture"
	keycap             = '\u20e3' // combining enclosing keycap
)

// pictographic are the characters that emoji are made of, those that are set aside for new ones included:
// Extended_Pictographic of emoji-data.txt (UTS 51).
var pictographic = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x00a9, 0x00ae, 5}, {0x203c, 0x2049, 13}, {0x2122, 0x2139, 23}, {0x2194, 0x2199, 1}, {0x21a9, 0x21aa, 1}, {0x231a, 0x231b, 1}, {0x2328, 0x2388, 96},
		{0x23cf, 0x23cf, 1}, {0x23e9, 0x23f3, 1}, {0x23f8, 0x23fa, 1}, {0x24c2, 0x24c2, 1}, {0x25aa, 0x25ab, 1}, {0x25b6, 0x25c0, 10}, {0x25fb, 0x25fe, 1},
		{0x2600, 0x2605, 1}, {0x2607, 0x2612, 1}, {0x2614, 0x2685, 1}, {0x2690, 0x2705, 1}, {0x2708, 0x2712, 1}, {0x2714, 0x2716, 2}, {0x271d, 0x2721, 4}, {0x2728, 0x2728, 1},
		{0x2733, 0x2734, 1}, {0x2744, 0x2747, 3}, {0x274c, 0x274e, 2}, {0x2753, 0x2755, 1}, {0x2757, 0x2757, 1}, {0x2763, 0x2767, 1}, {0x2795, 0x2797, 1}, {0x27a1, 0x27b0, 15},
		{0x27bf, 0x27bf, 1}, {0x2934, 0x2935, 1}, {0x2b05, 0x2b07, 1}, {0x2b1b, 0x2b1c, 1}, {0x2b50, 0x2b55, 5}, {0x3030, 0x303d, 13}, {0x3297, 0x3299, 2},
	},
	R32: []unicode.Range32{
		{0x1f000, 0x1f0ff, 1}, {0x1f10d, 0x1f10f, 1}, {0x1f12f, 0x1f12f, 1}, {0x1f16c, 0x1f171, 1}, {0x1f17e, 0x1f17f, 1}, {0x1f18e, 0x1f18e, 1}, {0x1f191, 0x1f19a, 1},
		{0x1f1ad, 0x1f1e5, 1}, {0x1f201, 0x1f20f, 1}, {0x1f21a, 0x1f21a, 1}, {0x1f22f, 0x1f22f, 1}, {0x1f232, 0x1f23a, 1}, {0x1f23c, 0x1f23f, 1}, {0x1f249, 0x1f3fa, 1},
		{0x1f400, 0x1f53d, 1}, {0x1f546, 0x1f64f, 1}, {0x1f680, 0x1f6ff, 1}, {0x1f774, 0x1f77f, 1}, {0x1f7d5, 0x1f7ff, 1}, {0x1f80c, 0x1f80f, 1}, {0x1f848, 0x1f84f, 1},
		{0x1f85a, 0x1f85f, 1}, {0x1f888, 0x1f88f, 1}, {0x1f8ae, 0x1f8ff, 1}, {0x1f90c, 0x1f93a, 1}, {0x1f93c, 0x1f945, 1}, {0x1f947, 0x1faff, 1}, {0x1fc00, 0x1fffd, 1},
	},
	LatinOffset: 1,
}

// regions are the flags of parts of a country that there are, England, Scotland and Wales: a black flag, and behind it the code of
// the region in characters that cannot be seen (RGI_Emoji_Tag_Sequence of emoji-sequences.txt). Others would look like one another.
var regions = [][]rune{tagged("gbeng"), tagged("gbsct"), tagged("gbwls")}

func tagged(code string) []rune {
	flag := []rune{0x1f3f4}
	for _, c := range code {
		flag = append(flag, 0xe0000+c)
	}
	return append(flag, 0xe007f)
}

func isFlagLetter(r rune) bool { return r >= 0x1f1e6 && r <= 0x1f1ff } // regional indicators
func isSkin(r rune) bool       { return r >= 0x1f3fb && r <= 0x1f3ff }

// emoji returns how many runes of the front of s are one emoji, 0 if none is there: a picture, perhaps with a skin or as a
// picture, and others joined to it; a keycap; a flag (UTS 51, ED-14 to ED-16).
func emoji(s []rune) int {
	at := func(i int) rune {
		if i < len(s) {
			return s[i]
		}
		return 0
	}
	switch r := at(0); {
	case isFlagLetter(r) && isFlagLetter(at(1)):
		return 2
	case r == '#' || r == '*' || r >= '0' && r <= '9':
		if at(1) == emojiStyle && at(2) == keycap {
			return 3
		}
		return 0
	}
	for _, flag := range regions {
		if len(s) >= len(flag) && slices.Equal(s[:len(flag)], flag) {
			return len(flag)
		}
	}
	n := 0
	for unicode.Is(pictographic, at(n)) {
		n++
		if isSkin(at(n)) || at(n) == emojiStyle {
			n++
		}
		if at(n) != zeroWidthJoiner || !unicode.Is(pictographic, at(n+1)) {
			return n
		}
		n++
	}
	return n
}
