package auth

import (
	"net/http/httptest"
	"testing"
)

// BenchmarkVerify is what a signed token costs each time that it is sent, of the length that a token of a room or two has.
func BenchmarkVerify(b *testing.B) {
	for _, alg := range []string{algSecret, algEd, algEC, algRSA} {
		s := signers()[alg]
		c, err := New(Config{Keys: loadKeys(b, s.file(b), "")})
		if err != nil {
			b.Fatal(err)
		}
		r := httptest.NewRequest("GET", "/chat/rooms", nil)
		r.Header.Set("Authorization", "Bearer "+sign(b, s, good()))
		b.Run(alg, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Identify(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
