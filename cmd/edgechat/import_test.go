package main

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// TestImportLines: what is wrong with a line is said, with its number, and the lines behind it are looked at as well.
func TestImportLines(t *testing.T) {
	good := `{"room":"den","id":"e-2","username":"ann","content":"hi","time":1}`
	with := func(field, value string) string {
		return strings.Replace(good, `"content"`, fmt.Sprintf("%q:%s,\"content\"", field, value), 1)
	}
	for line, want := range map[string]string{
		strings.Repeat(" ", maxImportLine) + good:                          "it is longer than 1024 KiB",
		strings.Replace(good, "hi", strings.Repeat("a", mostContent+1), 1): "content is longer than 65536 bytes",
		`null`:                                   "it is no JSON object",
		`[]`:                                     "it is no JSON object",
		`"den"`:                                  "it is no JSON object",
		`nonsense`:                               "it is no JSON: invalid character",
		good[:30]:                                "it is cut off",
		good[:len(good)-1]:                       "it is cut off",
		good + good:                              "something follows the object",
		"\xff" + good:                            "it is not valid UTF-8",
		with("x", "1"):                           `unknown field "x"`,
		with("Room", `"den"`):                    `unknown field "Room"`,
		with("room", `"attic"`):                  `field "room" is there twice`,
		strings.Replace(good, `"den"`, "7", 1):   `field "room" is 7, and has to be a text`,
		strings.Replace(good, `"hi"`, "null", 1): `field "content" is null, and has to be a text`,
		strings.Replace(good, `:1}`, `:"now"}`, 1):                               `field "time" is "now", and has to be a whole number`,
		strings.Replace(good, `:1}`, `:1.5}`, 1):                                 `field "time" is 1.5, and has to be a whole number`,
		strings.Replace(good, `:1}`, `:-1}`, 1):                                  "its time is -1, and has to be milliseconds since 1970",
		strings.Replace(good, `"ann"`, `{"a":"`+strings.Repeat("b", 99)+`"}`, 1): `field "username" is {"a":"` + strings.Repeat("b", 34) + "..., and has to be a text",
		with("edited", `"yes"`):                                                  `field "edited" is "yes", and has to be true or false`,
		strings.Replace(good, `"room":"den",`, "", 1):                            "it has no room",
		strings.Replace(good, `"id":"e-2",`, "", 1):                              "it has no id",
		strings.Replace(good, `,"time":1`, "", 1):                                "it has no time",
		strings.Replace(good, `"content":"hi",`, "", 1):                          "it has no content",
		strings.Replace(good, `"den"`, `"a/b"`, 1):                               "the name of the room may not hold",
		strings.Replace(good, `"ann"`, `" "`, 1):                                 "the username is empty",
		strings.Replace(good, `e-2`, `e-02`, 1):                                  `"e-02" is no message id`,
		strings.Replace(good, `e-2`, `e-0`, 1):                                   `"e-0" names no message`,
		with("type", `"joined"`):                                                 `its type is "joined", and can be "edited" or "deleted"`,
		with("type", `"edited"`):                                                 "it has no target",
		with("target", `"e-1"`):                                                  "it has a target, and no type",
		with("target", `"e-2","type":"edited"`):                                  "it changes e-2, which is not older than itself",
		with("target", `"e-1","type":"deleted"`):                                 "it has content, which nothing has that was deleted",
		with("deleted", `true`):                                                  "it has content, which nothing has that was deleted",
		with("edited", `true,"deleted":true`):                                    "it is edited and deleted",
		with("target", `"e-1","type":"edited","edited":true`):                    "only messages are edited or deleted",
	} {
		file, err := readExported(strings.NewReader("\r\n" + good + "\n" + line + "\n\n" + good + "\n" + "{}"))
		if file != nil || err == nil || !strings.HasPrefix(err.Error(), "line 3: "+want) || !strings.HasSuffix(err.Error(), "\nline 6: it has no room") {
			t.Errorf("%.99s\n%v\nnot\nline 3: %s", line, err, want)
		}
	}
	file, err := readExported(strings.NewReader(good + "\n" + with("key", `"k"`) + "\r\n" + strings.Replace(good, "e-2", "e-1", 1)))
	if err != nil || fmt.Sprint(file.numbers, file.late) != "[1 2 3] [2]" || file.messages[1].Key != "k" {
		t.Errorf("%+v, %v", file, err)
	}
	broken := io.MultiReader(strings.NewReader(good+"\n"+good), &brokenReader{})
	if _, err := readExported(broken); err == nil || err.Error() != "line 2: unexpected EOF" {
		t.Errorf("%v", err)
	}
}

// A brokenReader fails with an error that is no end.
type brokenReader struct{}

func (*brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
