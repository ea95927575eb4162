package main

import (
	"strings"
	"testing"

	"rsc.io/qr"
)

// What is drawn is the code, in both styles, with white around it.
func TestQRLines(t *testing.T) {
	const text = "http://192.168.178.123:3000/room/den"
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	for _, styled := range []bool{false, true} {
		drawn, err := qrLines(text, styled)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(drawn, "\n"), "\n")
		if len(lines) != (code.Size+2*quiet+1)/2 {
			t.Fatalf("%d lines of a code of %d", len(lines), code.Size)
		}
		for n, line := range lines {
			if styled {
				if !strings.HasPrefix(line, codeStyle) || !strings.HasSuffix(line, plainStyle) {
					t.Fatalf("line %d is %q", n, line)
				}
				line = strings.TrimSuffix(strings.TrimPrefix(line, codeStyle), plainStyle)
			}
			row := []rune(line)
			if len(row) != code.Size+2*quiet {
				t.Fatalf("line %d has %d columns", n, len(row))
			}
			for column, r := range row {
				x, y := column-quiet, 2*n-quiet
				above, below := r == '▀' || r == '█', r == '▄' || r == '█'
				if (above == styled) != code.Black(x, y) || (below == styled) != code.Black(x, y+1) {
					t.Fatalf("styled %v: module %d, %d is drawn as %q", styled, x, y, r)
				}
			}
		}
		if styled && columnsOf(drawn) != code.Size+2*quiet {
			t.Errorf("it takes %d columns", columnsOf(drawn))
		}
	}
	if _, err := qrLines(strings.Repeat("x", 5000), false); err == nil {
		t.Error("5000 bytes have a code")
	}
}

func TestWifiText(t *testing.T) {
	for want, got := range map[string]string{
		`WIFI:T:nopass;S:den;;`:              wifiText("den", ""),
		`WIFI:T:WPA;S:a\;b\:c;P:x\\y\"\,z;;`: wifiText("a;b:c", `x\y",z`),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
