package moderation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"edgechat/internal/durable"
)

// The file has a line for each rule, between one that says what it is and one that says how many there are and when it
// was written:
//
//	edgechat rules 1
//	5e3a9c01 {"rule":"ban","room":"den","name":"Bob","left_ms":3600000,"by":"Ann","since":"2026-11-22T12:00:00Z"}
//	0a41f7b2 {"rules":1,"written":"2026-11-22T12:00:00Z"}
//
// A node of a cluster writes version 2, which has decisions in the place of rules: beside them when and where each was made, and those by which
// one was ended. A server that is alone reads it, and leaves these out.
//
// Each begins with the CRC-32C of what stands behind it. It is replaced as a whole: a copy of it is always whole, too.
const (
	fileKind       = "edgechat rules "
	fileVersion    = 1
	clusterVersion = 2
)

// ErrNewer: a later version of this program has written the file.
var ErrNewer = errors.New("written by a newer version of edgechat: install that version again, or move the file aside and begin without its rules")

// since is when there was no such program before: a clock before it was not set.
var since = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type lastLine struct {
	Rules   int       `json:"rules"`
	Written time.Time `json:"written"`
}

func appendLine(b []byte, v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return b, err
	}
	b = fmt.Appendf(b, "%08x ", crc32.Checksum(text, castagnoli))
	return append(append(b, text...), '\n'), nil
}

// encode returns a file of rules, as they are now.
func encode(rules []Rule, now time.Time) (b []byte, err error) {
	b = fmt.Appendf(nil, "%s%d\n", fileKind, fileVersion)
	for _, rule := range rules {
		if b, err = appendLine(b, rule.at(now)); err != nil {
			return nil, err
		}
	}
	return appendLine(b, lastLine{len(rules), now.UTC().Truncate(time.Millisecond)})
}

// encodeDecisions returns a file of what a cluster has decided.
func encodeDecisions(list []*decision, now time.Time) (b []byte, err error) {
	b = fmt.Appendf(nil, "%s%d\n", fileKind, clusterVersion)
	for _, x := range list {
		d := *x
		d.Rule = d.at(now)
		if b, err = appendLine(b, d); err != nil {
			return nil, err
		}
	}
	return appendLine(b, lastLine{len(list), now.UTC().Truncate(time.Millisecond)})
}

// decode returns the decisions of a file, and what is wrong with it: those that can be read are there all the same. What a rule has left
// is as it was when the file was written; passed is how much of it has gone since. The error is ErrNewer alone.
func decode(b []byte, now time.Time) (list []decision, passed time.Duration, problem string, err error) {
	lines := strings.Split(string(b), "\n")
	version, ok := strings.CutPrefix(lines[0], fileKind)
	n, e := strconv.Atoi(version)
	switch {
	case ok && e == nil && n > clusterVersion:
		return nil, 0, "", ErrNewer
	case !ok || n != fileVersion && n != clusterVersion:
		return nil, 0, "it does not begin as a file of rules does", nil
	}
	var last lastLine
	ended, bad := false, 0
	for _, line := range lines[1:] {
		sum, text, _ := strings.Cut(line, " ")
		want, err := strconv.ParseUint(sum, 16, 32)
		switch {
		case ended && line == "": // behind the last line
		case ended || err != nil || uint32(want) != crc32.Checksum([]byte(text), castagnoli):
			bad++
		case json.Unmarshal([]byte(text), &last) == nil && !last.Written.IsZero():
			ended = true
		default:
			var d decision
			if json.Unmarshal([]byte(text), &d) != nil || d.check() != nil || d.isEvent() || d.Stamp < 0 || d.Stamp > maxStamp {
				bad++
				continue
			}
			if n == fileVersion {
				d.Stamp = max(d.Since.UnixMilli(), 1) // as on each node that begins with a copy of this file
			}
			list = append(list, d)
		}
	}
	switch {
	case !ended:
		problem = "its end is missing"
	case last.Rules != len(list) || bad > 0:
		problem = fmt.Sprintf("%d of its %d rules cannot be read", max(bad, last.Rules-len(list)), last.Rules)
	}
	if ended && !last.Written.Before(since) && now.After(last.Written) {
		passed = now.Sub(last.Written)
	}
	return list, passed, problem, nil
}

// load reads the file, if there is one.
func (r *Rules) load() error {
	b, err := os.ReadFile(r.cfg.Path)
	problem := ""
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: user %d must be allowed to read it", err, os.Geteuid())
	case err != nil:
		problem = err.Error()
	}
	now := time.Now()
	var list []decision
	var passed time.Duration
	if err == nil {
		if list, passed, problem, err = decode(b, now); err != nil {
			return err
		}
	}
	for _, d := range list {
		rule := &d.Rule
		if rule.nobody != nil {
			r.made++ // the file is written without it as the server ends, if not before
			r.cfg.Logger.Warn("moderation rule left out, it is about nobody", "path", r.cfg.Path, "rule", rule.Kind, "room", rule.Room, "about", rule.About(), "err", rule.nobody)
			continue
		}
		left := time.Duration(rule.Left) * time.Millisecond
		over := left > 0 && left <= passed
		if left > 0 {
			left -= passed
		}
		d.Rule = rule.lasting(left)
		switch {
		case r.ledger != nil && over && !d.Ended:
			d.end() // which other nodes may not know
			r.ledger.load(&d)
		case over:
		case r.ledger != nil:
			r.ledger.load(&d)
		case !d.Ended:
			r.rules = append(r.rules, d.Rule)
		}
	}
	if r.ledger != nil {
		r.ledger.prune(r.cfg.Most)
		r.rules = r.ledger.rules()
	}
	if problem != "" {
		r.putAside(problem, len(r.rules))
	}
	return nil
}

// putAside gives a damaged file another name, and writes what is left of it. That nothing of this went well is no reason
// to serve nobody.
func (r *Rules) putAside(problem string, left int) {
	aside := r.cfg.Path + ".corrupt-" + time.Now().UTC().Format("20060102T150405.000000")
	err := durable.Rename(r.cfg.Path, aside)
	if err == nil {
		r.made++
		err = r.save()
	}
	text := fmt.Sprintf("the file of bans and other rules was damaged: %s; %d of them hold, the file is at %s", problem, left, aside)
	r.damage.Store(&text)
	r.cfg.Logger.Error("moderation rules damaged", "path", r.cfg.Path, "problem", problem, "rules", left, "aside", aside, "err", err)
}

// save writes what the file does not have. Of several that wait for it, the first does it for all.
func (r *Rules) save() error {
	if r.cfg.Path == "" {
		return nil
	}
	r.saveMu.Lock()
	defer r.saveMu.Unlock()
	r.mu.Lock()
	made, rules := r.made, r.rules // which is never changed
	var list []*decision
	if r.ledger != nil && made != r.saved {
		list = r.ledger.kept()
	}
	r.mu.Unlock()
	if made == r.saved {
		return nil
	}
	var b []byte
	var err error
	if r.ledger != nil {
		b, err = encodeDecisions(list, time.Now())
	} else {
		b, err = encode(rules, time.Now())
	}
	if err == nil {
		err = durable.Replace(r.cfg.Path, func(f *os.File) error {
			_, err := bytes.NewReader(b).WriteTo(f)
			return err
		})
	}
	if err != nil {
		r.count.failed.Add(1)
		if r.fault.Swap(&err) == nil {
			r.cfg.Logger.Error("moderation rules not written, they hold in memory alone", "path", r.cfg.Path, "err", err)
		}
		r.tryAgain()
		return err
	}
	r.saved = made
	if r.fault.Swap(nil) != nil {
		r.cfg.Logger.Info("moderation rules written again", "path", r.cfg.Path)
	}
	return nil
}

// tryAgain has the file written later.
func (r *Rules) tryAgain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
	case r.retry == nil:
		r.retry = time.AfterFunc(r.cfg.retryAfter, func() {
			r.mu.Lock()
			if closed := r.closed; closed {
				r.mu.Unlock()
				return
			}
			r.wg.Add(1) // before Close waits
			r.mu.Unlock()
			defer r.wg.Done()
			_ = r.save() // it says so itself
		})
	default:
		r.retry.Reset(r.cfg.retryAfter)
	}
}
