package store

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"time"

	"edgechat/codec"
	"edgechat/internal/durable"
)

// An Unplaced says why a message was not imported.
type Unplaced string

// What cannot be placed.
const (
	UnplacedTaken   Unplaced = "another message of the room has its number"
	UnplacedEpoch   Unplaced = "the room goes on with numbers of another epoch"
	UnplacedOld     Unplaced = "it is older than what the room keeps"
	UnplacedDiffers Unplaced = "a message with its id is there, and says something else"
	UnplacedTarget  Unplaced = "what it edits or deletes is not a message of the room"
	UnplacedRevised Unplaced = "what it edits or deletes was deleted or edited otherwise"
	UnplacedMarked  Unplaced = "it is marked as edited or deleted, and by what is not there"
)

// AllUnplaced returns each reason.
func AllUnplaced() []Unplaced {
	return []Unplaced{UnplacedTaken, UnplacedEpoch, UnplacedOld, UnplacedDiffers, UnplacedTarget, UnplacedRevised, UnplacedMarked}
}

// An ImportReport is what became of the messages of an import.
type ImportReport struct {
	Placed  int
	Present int // were there already, or twice among them
	// Unplaced has the indexes of those that could not be placed, in their order.
	Unplaced map[Unplaced][]int
	Aside    string // where what was at the path before is kept; "" if there was nothing, or nothing was changed
}

// Import places messages and revisions as ReadBackup hands them over, with the IDs they have, in the store at path, which nobody may have open: the error is
// ErrLocked then. One that is missing is made, as Restore does. A store without rooms takes them all, and learns their epochs,
// so that cursors of then go on working; in one that has rooms, a message goes where the room has that number of that
// epoch free, and one that is there already is left as it is, but for a revision that is placed. What was deleted stays so. A room that the store does not know is taken whole, and of
// its epochs those that the store does not know prove nothing.
//
// It is Restore of a backup in which they are, without Author, which they have not: with any error path stays as it was, what was there is kept aside, and
// the next start opens a new epoch. If there is nothing to place, nothing is written. It holds all messages in memory, and
// needs the space of the store three times over beside it, for as long as it takes.
func Import(path string, messages []codec.Record) (ImportReport, error) {
	m := &merge{messages: messages, rooms: map[string][]int{}, report: ImportReport{Unplaced: map[Unplaced][]int{}}}
	for i := range messages {
		m.rooms[messages[i].Room] = append(m.rooms[messages[i].Room], i)
	}
	err := m.into(path)
	for _, list := range m.report.Unplaced {
		slices.Sort(list)
	}
	if err != nil {
		return ImportReport{}, fmt.Errorf("store: import: %w", err)
	}
	return m.report, nil
}

// A merge is an import under way.
type merge struct {
	messages []codec.Record
	rooms    map[string][]int // indexes of the messages of each room that was not met yet
	state    state
	used     bool // the store has or had rooms
	seq      uint64
	report   ImportReport
}

func (m *merge) into(path string) error {
	path, err := durable.Resolve(path)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	old, err := durable.Temp(dir, importTemp)
	if err != nil {
		return err
	}
	defer func() { _, _ = os.Remove(old.Name()), old.Close() }()
	merged, err := durable.Temp(dir, importTemp)
	if err != nil {
		return err
	}
	defer func() { _, _ = os.Remove(merged.Name()), merged.Close() }()

	before := looks(path)
	if err := backupOrNone(path, old); err != nil {
		return err
	}
	if err := m.learn(old); err != nil {
		return err
	}
	if err := m.write(old, merged); err != nil {
		return err
	}
	if m.report.Placed == 0 {
		return nil
	}
	_, m.report.Aside, err = replace(merged.Name(), path, func(Report) error { return nil }, func() error {
		if looks(path) != before {
			return fmt.Errorf("%s was changed meanwhile: %w", path, ErrLocked)
		}
		return nil
	}, false)
	return err
}

// looks says how the files of a store look from outside. An empty one was made by who locks it.
func looks(path string) (found string) {
	for _, p := range []string{path, logPath(path)} {
		if info, err := os.Stat(p); err == nil && info.Size() > 0 {
			found += fmt.Sprint(info.Size(), info.ModTime().Format(time.RFC3339Nano), " ")
		}
	}
	return found
}

// backupOrNone writes a backup of the store at path, or of a new one if nothing is there.
func backupOrNone(path string, w io.Writer) error {
	_, err := os.Stat(path)
	if !errors.Is(err, fs.ErrNotExist) {
		_, err := BackupTo(path, filepath.Dir(path), w)
		return err
	}
	if _, err := os.Stat(logPath(path)); err == nil {
		return fmt.Errorf("%s is there, and %s is not: %w", logPath(path), path, ErrDamaged)
	}
	b := &backupWriter{w: bufio.NewWriter(w), sum: crc32.New(castagnoli)}
	b.begin(&state{epochs: epochs{}.next(epoch{}, 1)})
	return b.end()
}

// learn finds what the store's state will be.
func (m *merge) learn(old *os.File) error {
	kept := uint64(0)
	_, err := readFromStart(old, func(kind byte, body []byte) (err error) {
		switch kind {
		case recordStart:
			if m.state, err = decodeState(body); err == nil && m.state.follows {
				err = fmt.Errorf("import: %w", ErrFollower)
			}
		case recordPlace:
			m.used = true
		default:
			kept++
		}
		return err
	})
	if err != nil {
		return err
	}
	es := m.epochOrder()
	m.used = m.used || m.state.floor > 0 || slices.ContainsFunc(es, func(name string) bool {
		_, known := m.state.epochs.find(name)
		return known
	})
	if !m.used {
		m.state.epochs = adopt(es, m.state.epochs)
	}
	m.seq = m.state.epochs.now().n << epochShift
	m.state.checkpoint = m.seq + kept + uint64(len(m.messages))
	return nil
}

// adopt returns the epochs named, and behind them those that there are, numbered anew.
func adopt(names []string, es epochs) (all epochs) {
	for _, name := range names {
		all = append(all, epoch{n: uint64(len(all) + 1), name: name})
	}
	for _, e := range es {
		e.n = uint64(len(all) + 1)
		all = append(all, e)
	}
	return all[max(0, len(all)-maxEpochs):]
}

// epochOrder returns the epochs of the messages, oldest first, as the rooms tell; none if they contradict each other, or
// are more than a store can have had. It leaves each room in the order of its numbers.
func (m *merge) epochOrder() (order []string) {
	before := map[string]map[string]bool{} // by an epoch, those that one room has in front of it
	var names []string
	for i := range m.messages {
		if name := m.messages[i].Message.ID.Epoch; before[name] == nil {
			before[name] = map[string]bool{}
			names = append(names, name)
		}
	}
	for _, list := range m.rooms {
		m.sort(list)
		for i := 1; i < len(list); i++ {
			a, b := m.messages[list[i-1]].Message.ID, m.messages[list[i]].Message.ID
			if a.Epoch != b.Epoch && a.Offset != b.Offset {
				before[b.Epoch][a.Epoch] = true
			}
		}
	}
	if len(names) > 16*maxEpochs {
		return nil
	}
	for len(names) > 0 {
		next := slices.IndexFunc(names, func(name string) bool {
			return !slices.ContainsFunc(names, func(other string) bool { return before[name][other] })
		})
		if next < 0 {
			return nil
		}
		order = append(order, names[next])
		names = slices.Delete(names, next, next+1)
	}
	return order
}

// sort puts messages of a room in the order of their numbers.
func (m *merge) sort(list []int) {
	sort.SliceStable(list, func(i, j int) bool {
		return m.messages[list[i]].Message.ID.Offset < m.messages[list[j]].Message.ID.Offset
	})
}

// readFromStart is readBackup of all of a file.
func readFromStart(f *os.File, visit func(kind byte, body []byte) error) (uint64, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	return readBackup(f, visit)
}
