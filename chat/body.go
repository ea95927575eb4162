package chat

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"edgechat/codec"
	"edgechat/refusal"
	"edgechat/ws"
)

// Media types of the HTTP API.
const (
	typeJSON    = "application/json"
	typeLines   = "application/x-ndjson"
	typeMsgPack = "application/msgpack"
	typeText    = "text/plain"
	typeForm    = "application/x-www-form-urlencoded"
	typeParts   = "multipart/form-data"
)

// mediaType returns the name by which a type goes here: MessagePack has one by IANA, and two that are in use.
func mediaType(media string) string {
	if media == "application/vnd.msgpack" || media == "application/x-msgpack" {
		return typeMsgPack
	}
	return media
}

// readPost reads the body: JSON, MessagePack, a form, or the content as it is. "curl -d" calls all that it sends
// a form, text as well as JSON: there, and where no type is named, an object that has
// "content" is a post; a form without "content" is text. The name may be in the query in any case.
func (ctl *Controller) readPost(w http.ResponseWriter, r *ws.Request) (post codec.Post, err error) {
	media, params := "", map[string]string(nil)
	if h := r.Header.Get("Content-Type"); h != "" {
		if media, params, err = mime.ParseMediaType(h); err != nil {
			return post, unsupported(h)
		}
		media = mediaType(media)
	}
	switch media {
	case "", typeJSON, typeMsgPack, typeText, typeForm, typeParts:
	default:
		return post, unsupported(media)
	}
	body, err := ctl.readBody(w, r)
	if err != nil {
		return post, err
	}
	switch {
	case media == typeJSON, media == typeMsgPack, (media == typeForm || media == "") && isPost(body):
		post, err = ctl.decode.DecodePost(media == typeMsgPack, body)
	case media == typeForm && isForm(body):
		post, err = ctl.readForm(body)
	case media == typeParts:
		post, err = ctl.readParts(body, params["boundary"])
	case len(body) == 0:
		return post, refusal.Errorf(refusal.InvalidMessage, "the body is empty: send the content as text, or as {\"content\":\"...\"}")
	default:
		post.Content = string(body)
		err = ctl.decode.CheckContent(post.Content)
	}
	if post.Username == "" {
		post.Username = r.Query().Get("username")
	}
	return post, err
}

// readBody reads what may be a message, and counts it.
func (ctl *Controller) readBody(w http.ResponseWriter, r *ws.Request) ([]byte, error) {
	limit := int64(ctl.decode.MaxFrame())
	tooLarge := refusal.Errorf(refusal.TooLarge, "the body is longer than %d bytes", limit).With("Connection", "close")
	if r.ContentLength > limit { // before any of it has come
		return nil, tooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if _, ok := err.(*http.MaxBytesError); ok {
		return nil, tooLarge
	}
	if err != nil {
		return nil, refusal.Errorf(refusal.InvalidMessage, "the body could not be read to its end")
	}
	if over := ctl.limits.post(r.Source(), len(body)); over != nil {
		return nil, over.answer()
	}
	return body, nil
}

// isPost reports whether a body of no particular type is a JSON object with "content". What
// is wrong with that is then said, rather than published.
func isPost(body []byte) bool {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(body, &object); err != nil {
		return false
	}
	_, ok := object["content"]
	return ok
}

// isForm reports whether a body that is called a form has "content".
func isForm(body []byte) bool {
	for pair := range bytes.SplitSeq(body, []byte("&")) {
		if bytes.HasPrefix(pair, []byte("content=")) {
			return true
		}
	}
	return false
}

// readForm reads a form as HTML's and "curl --data-urlencode" send it.
func (ctl *Controller) readForm(body []byte) (codec.Post, error) {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return codec.Post{}, refusal.Errorf(refusal.InvalidMessage,
			"the form cannot be read: %.80s; have it percent-encoded, as curl --data-urlencode 'content=...' does, or send text, with Content-Type: text/plain", err)
	}
	return ctl.fromForm(values)
}

// readParts reads a form as FormData of a page and "curl -F" send it. All of it is in memory, and bounded, already.
func (ctl *Controller) readParts(body []byte, boundary string) (codec.Post, error) {
	if boundary == "" {
		return codec.Post{}, refusal.New(refusal.InvalidMessage, "the Content-Type of the form names no boundary: leave it to what makes the form")
	}
	form, err := multipart.NewReader(bytes.NewReader(body), boundary).ReadForm(int64(len(body)) + 1)
	if err != nil {
		return codec.Post{}, refusal.New(refusal.InvalidMessage, "the body is not the "+typeParts+" that its Content-Type says")
	}
	return ctl.fromForm(form.Value)
}

func (ctl *Controller) fromForm(values url.Values) (post codec.Post, err error) {
	for name, dst := range map[string]*string{"content": &post.Content, "username": &post.Username} {
		if len(values[name]) > 1 {
			return codec.Post{}, refusal.Errorf(refusal.InvalidMessage, "%s is in the form more than once", name)
		}
		*dst = values.Get(name)
	}
	if !values.Has("content") {
		return codec.Post{}, refusal.New(refusal.InvalidMessage, "content is missing in the form")
	}
	return post, ctl.decode.CheckContent(post.Content)
}

func unsupported(media string) error {
	return refusal.Errorf(refusal.UnsupportedMediaType, "a body of type %.80q is not taken: send %s", media,
		strings.Join([]string{typeJSON, typeMsgPack, typeForm, typeParts + " or " + typeText}, ", "))
}
