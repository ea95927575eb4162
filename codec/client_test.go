package codec

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"edgechat/refusal"
)

func TestDecodeClientJSON(t *testing.T) {
	long := strings.Repeat("x", 4096)
	for in, want := range map[string]Client{
		`{"type":"message","content":"hi"}`:                           {Type: TypeMessage, Content: "hi"},
		" \t\r\n{ \"type\" : \"message\" , \"content\":\"hi\"} ":      {Type: TypeMessage, Content: "hi"},
		`{"content":"hi","idempotency_key":"k","type":"message"}`:     {Type: TypeMessage, Content: "hi", Key: "k"},
		`{"type":"message"}`:                                          {Type: TypeMessage},
		`{"type":"message","content":null,"idempotency_key":null}`:    {Type: TypeMessage},
		`{"type":"typing","content":"dropped","idempotency_key":"k"}`: {Type: TypeTyping},
		`{"\u0074yp\u0065":"m\u0065ssage","content":"\u0068i"}`:       {Type: TypeMessage, Content: "hi"},
		`{"type":"message","content":"\"\\\/\b\f\n\r\t\u00e9\u0000\uD83D\ude00😀 \ufffd"}`: {
			Type: TypeMessage, Content: "\"\\/\b\f\n\r\té\x00😀😀 \ufffd"},
		`{"type":"message","content":"` + long + `"}`:                            {Type: TypeMessage, Content: long},
		`{"type":"message","content":"` + strings.Repeat(`\u0078`, 4096) + `"}`:  {Type: TypeMessage, Content: long},
		`{"type":"message","idempotency_key":"` + strings.Repeat(`😀`, 64) + `"}`: {Type: TypeMessage, Key: strings.Repeat("😀", 64)},
		// Names that are not known are ignored, whatever they hold, however often.
		`{"Type":1,"username":7,"a":[],"a":{},"":[{"":[-0.5e+10,1E2,0]},true,false,null,"\ud800"],"type":"typing"}`: {Type: TypeTyping},
		`{"a":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `,"type":"typing"}`:                           {Type: TypeTyping},
		`{"a":` + strings.Repeat(`{"a":`, 64) + `0` + strings.Repeat("}", 64) + `,"type":"typing"}`:                 {Type: TypeTyping},
		`{"a":{"b":1,"c":{"d":[]},"e":2},"type":"typing"}`:                                                          {Type: TypeTyping},
		`{"a":[1234567890,-9876543210,9e9,1e-9,1E+10,0.09],"type":"typing"}`:                                        {Type: TypeTyping},
		// Space may stand between any two tokens.
		" { \"a\" : { \"b\" : [ 1 , [ ] , { } , true ] , \"c\" : null } , \"type\" : \"typing\" } ":                 {Type: TypeTyping},
		"\n{\n\"a\"\n:\n{\n\"b\"\n:\n[\n1\n,\n[\n]\n,\n{\n}\n]\n,\n\"c\"\n:\n0\n}\n,\n\"type\"\n:\n\"typing\"\n}\n": {Type: TypeTyping},
		`{"a":[{"b":[[],{}]},[]],"type":"typing"}`:                                                                  {Type: TypeTyping},
	} {
		if got, err := (Limits{}).DecodeClient(false, []byte(in)); err != nil || got != want {
			t.Errorf("%.200s:\n got %+v, %v\nwant %+v", in, got, err, want)
		}
	}
}

func TestRefuseClientJSON(t *testing.T) {
	const half = `holds half of a surrogate pair, such as \ud83d without \ude00 after it; send whole characters`
	for in, want := range map[string]Error{
		// Schema.
		`{}`:                                               {Message: `type is missing; it is "message", "edit", "delete", "typing", "ping", "join" or "leave"`},
		`{"content":"hi"}`:                                 {Message: `type is missing; it is "message", "edit", "delete", "typing", "ping", "join" or "leave"`},
		`{"type":null}`:                                    {Message: `type is missing; it is "message", "edit", "delete", "typing", "ping", "join" or "leave"`},
		`{"type":"foo"}`:                                   {Message: `type must be "message", "edit", "delete", "typing", "ping", "join" or "leave", not "foo"`},
		`{"type":"messag\u0000"}`:                          {Message: `type must be "message", "edit", "delete", "typing", "ping", "join" or "leave", not "messag\x00"`},
		`{"type":"Message"}`:                               {Message: `type must be "message", "edit", "delete", "typing", "ping", "join" or "leave", not "Message"`},
		`{"type":7}`:                                       {Message: "type must be a string, not a number"},
		`{"type":"message","content":["hi"]}`:              {Message: "content must be a string, not an array"},
		`{"type":"message","content":{"a":1}}`:             {Message: "content must be a string, not an object"},
		`{"type":"typing","content":false}`:                {Message: "content must be a string, not a boolean"},
		`{"type":"typing","idempotency_key":1}`:            {Message: "idempotency_key must be a string, not a number"},
		`{"type":"message","type":"message"}`:              {Message: "type is there more than once; send it once"},
		`{"type":"message","content":null,"content":"hi"}`: {Message: "content is there more than once; send it once"},
		`{"type":"message","idempotency_key":"a","\u0069dempotency_key":"a"}`: {
			Message: "idempotency_key is there more than once; send it once"},
		`{"type":"message","content":"\ud83d"}`:             {Message: "content " + half},
		`{"type":"message","content":"\ude00\ud83d"}`:       {Message: "content " + half},
		`{"type":"message","content":"\ud83d\ud83d\ude00"}`: {Message: "content " + half},
		`{"type":"\ud83d"}`:                                 {Message: "type " + half},
		`{"type":"message","content":"\ud83dxude00"}`:       {Message: "content " + half},
		`{"type":"message","content":"\ud83d\nde00"}`:       {Message: "content " + half},
		`{"type":"\ud83d`:                                   {Message: "unexpected end of JSON at byte 15, where the closing quote of a string should be"},
		`{"type":"\ud83d\`:                                  {Message: `unexpected end of JSON at byte 16, where one of "\/bfnrtu after a backslash should be`},
		`{"type":"\ud83d\u`:                                 {Message: "unexpected end of JSON at byte 17, where a hexadecimal digit should be"},
		`{"type":"\ud83d\ude0`:                              {Message: "unexpected end of JSON at byte 20, where a hexadecimal digit should be"},
		`{"type":"\ud83d\ude00`:                             {Message: "unexpected end of JSON at byte 21, where the closing quote of a string should be"},
		`{"type":"typing","idempotency_key":"\udead"}`:      {Message: "idempotency_key " + half},
		`{"type":"message","idempotency_key":""}`: {
			Message: "idempotency_key is empty; leave it out or give it 1-64 characters"},
		`{"type":"message","idempotency_key":"` + strings.Repeat("x", 65) + `"}`: {
			Message: "idempotency_key is longer than 64 characters"},
		`{"type":"message","idempotency_key":"` + strings.Repeat("x", 4000) + `"}`: {
			Message: "idempotency_key is longer than 64 characters"},
		`{"type":"message","idempotency_key":"a\u0007"}`: {
			Message: "idempotency_key may not hold the control character U+0007"},

		// The key of a refused frame is told wherever it stands.
		`{"type":"message","content":"` + strings.Repeat("x", 4097) + `","idempotency_key":"c-18"}`: {
			Message: "content is longer than 4096 bytes", Key: "c-18"},
		`{"idempotency_key":"c-18","type":"message","content":"` + strings.Repeat("é", 2048) + `x"}`: {
			Message: "content is longer than 4096 bytes", Key: "c-18"},
		`{"idempotency_key":"c-18","type":"foo"}`: {
			Message: `type must be "message", "edit", "delete", "typing", "ping", "join" or "leave", not "foo"`, Key: "c-18"},
		`{"idempotency_key":"c-18","type":`: {
			Message: "unexpected end of JSON at byte 33, where a value should be", Key: "c-18"},
		`{"type":"foo","idempotency_key":"\u0007"}`: {Message: `type must be "message", "edit", "delete", "typing", "ping", "join" or "leave", not "foo"`},

		// Grammar.
		``:                      {Message: "unexpected end of JSON at byte 0, where an object should be"},
		` `:                     {Message: "unexpected end of JSON at byte 1, where an object should be"},
		`{"type":"message`:      {Message: "unexpected end of JSON at byte 16, where the closing quote of a string should be"},
		`{"type":"message","co`: {Message: "unexpected end of JSON at byte 21, where the closing quote of a string should be"},
		`{`:                     {Message: "unexpected end of JSON at byte 1, where a name in quotes should be"},
		`{"type"`:               {Message: `unexpected end of JSON at byte 7, where ":" should be`},
		`{"type":"typing"`:      {Message: `unexpected end of JSON at byte 16, where "," or "}" should be`},
		`{"type":"typing",}`:    {Message: `unexpected '}' (U+007D) in JSON at byte 17, where a name in quotes should be`},
		`{,"type":"typing"}`:    {Message: `unexpected ',' (U+002C) in JSON at byte 1, where a name in quotes should be`},
		`{type:"typing"}`:       {Message: `unexpected 't' (U+0074) in JSON at byte 1, where a name in quotes should be`},
		`{'type':'typing'}`:     {Message: `unexpected '\'' (U+0027) in JSON at byte 1, where a name in quotes should be`},
		`{"type":"typing"}}`: {
			Message: `unexpected '}' (U+007D) in JSON at byte 17, after the end of the object; send one object`},
		`[{"type":"typing"}]`: {Message: "a message is a JSON object, not an array"},
		`"typing"`:            {Message: "a message is a JSON object, not a string"},
		`7`:                   {Message: "a message is a JSON object, not a number"},
		`hello`:               {Message: `unexpected 'h' (U+0068) in JSON at byte 0, where an object should be`},
		"\ufeff{}":            {Message: "unexpected U+FEFF in JSON at byte 0, where an object should be"},
		"\u0301{}":            {Message: "unexpected U+0301 in JSON at byte 0, where an object should be"}, // it would stand on the quote
		"{\"type\":\"typing\"}\x00": {
			Message: "unexpected U+0000 in JSON at byte 17, after the end of the object; send one object"},
		"{\"type\":\"ty\nping\"}": {
			Message: `unexpected U+000A in a string of JSON at byte 11; escape it as \u000a`},
		`{"type":"\x"}`:            {Message: `unexpected 'x' (U+0078) in JSON at byte 10, where one of "\/bfnrtu after a backslash should be`},
		`{"type":"\u12g4"}`:        {Message: `unexpected 'g' (U+0067) in JSON at byte 13, where a hexadecimal digit should be`},
		`{"type":"\ud83d\u"}`:      {Message: `unexpected '"' (U+0022) in JSON at byte 17, where a hexadecimal digit should be`},
		"{\"type\":\"\xff\"}":      {Message: "the JSON is not valid UTF-8 at byte 9"},
		"{\"\ufffd\":\"\xff\"}":    {Message: "the JSON is not valid UTF-8 at byte 8"},
		"{\"\xc0\xaf\":0}":         {Message: "the JSON is not valid UTF-8 at byte 2"},
		"{\"a\":\"\xed\xa0\x80\"}": {Message: "the JSON is not valid UTF-8 at byte 6"},
		`{"a":[1}`:                 {Message: `unexpected '}' (U+007D) in JSON at byte 7, where "," or "]" should be`},
		`{"a":[}}`:                 {Message: `unexpected '}' (U+007D) in JSON at byte 6, where a value should be`},
		`{"a":{]}`:                 {Message: `unexpected ']' (U+005D) in JSON at byte 6, where a name in quotes should be`},
		`{"a":{"b":1]`:             {Message: `unexpected ']' (U+005D) in JSON at byte 11, where "," or "}" should be`},
		`{"a":{"b"}}`:              {Message: `unexpected '}' (U+007D) in JSON at byte 9, where ":" should be`},
		`{"a":{"b":1,}}`:           {Message: `unexpected '}' (U+007D) in JSON at byte 12, where a name in quotes should be`},
		`{"a":[1,]}`:               {Message: `unexpected ']' (U+005D) in JSON at byte 8, where a value should be`},
		`{"a":tru}`:                {Message: `unexpected '}' (U+007D) in JSON at byte 8, where true should be`},
		`{"a":NaN}`:                {Message: `unexpected 'N' (U+004E) in JSON at byte 5, where a value should be`},
		`{"a":01}`:                 {Message: `unexpected '1' (U+0031) in JSON at byte 6, where "," or "}" should be`},
		`{"a":+1}`:                 {Message: `unexpected '+' (U+002B) in JSON at byte 5, where a value should be`},
		`{"a":-}`:                  {Message: `unexpected '}' (U+007D) in JSON at byte 6, where a digit should be`},
		`{"a":1.}`:                 {Message: `unexpected '}' (U+007D) in JSON at byte 7, where a digit should be`},
		`{"a":.5}`:                 {Message: `unexpected '.' (U+002E) in JSON at byte 5, where a value should be`},
		`{"a":1e}`:                 {Message: `unexpected '}' (U+007D) in JSON at byte 7, where a digit should be`},
		`{"a":` + strings.Repeat("[", 65) + strings.Repeat("]", 65) + `}`: {Message: "the JSON is nested deeper than 64 levels at byte 69"},
		`{"a":` + strings.Repeat("[", 100_000):                            {Message: "the JSON is nested deeper than 64 levels at byte 69"},
	} {
		want.Code = refusal.InvalidMessage
		refuses(t, Limits{}, false, []byte(in), want)
	}
}

// A field that is no string is named for what it is, by its first byte.
func TestKindsOfJSON(t *testing.T) {
	kinds := map[string]string{"{}": "an object", "[]": "an array", "true": "a boolean", "false": "a boolean", "-1": "a number"}
	for digit := range 10 {
		kinds[string(rune('0'+digit))] = "a number"
	}
	for value, kind := range kinds {
		refuses(t, Limits{}, false, []byte(`{"type":`+value+`}`), Error{Code: refusal.InvalidMessage, Message: "type must be a string, not " + kind})
		if value != "{}" {
			refuses(t, Limits{}, false, []byte(value), Error{Code: refusal.InvalidMessage, Message: "a message is a JSON object, not " + kind})
		}
	}
}

// TestHexDigits tries every byte as a digit of an escape.
func TestHexDigits(t *testing.T) {
	for c := range 128 {
		in := []byte(`{"type":"typing","a":"\u00_0"}`)
		in[bytes.IndexByte(in, '_')] = byte(c)
		_, err := Limits{}.DecodeClient(false, in)
		if isDigit := strings.IndexByte("0123456789abcdefABCDEF", byte(c)) >= 0; isDigit != (err == nil) {
			t.Errorf("%s: %v", in, err)
		}
		pair := []byte(`{"type":"message","content":"\ud83d\ude_0"}`)
		pair[bytes.IndexByte(pair, '_')] = byte(c)
		_, err = Limits{}.DecodeClient(false, pair)
		if isDigit := strings.IndexByte("0123456789abcdefABCDEF", byte(c)) >= 0; isDigit != (err == nil) {
			t.Errorf("%s: %v", pair, err)
		}
	}
}

// refuses checks that data is refused with exactly that error.
func refuses(t *testing.T, l Limits, binary bool, data []byte, want Error) {
	t.Helper()
	got, err := l.DecodeClient(binary, data)
	e, ok := errors.AsType[*Error](err)
	if !ok || *e != want || got != (Client{}) {
		t.Errorf("%.100q:\n got %+v, %+v\nwant %+v", data, got, err, want)
	}
}
