package gpu

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// binaryCache keeps program binaries, and verdicts of self-tests, in files named by
// their key. It only saves time: whatever goes wrong with it reads as a miss.
// Several processes may use one folder. A nil cache holds nothing.
type binaryCache struct {
	dir string
	cap int64 // bytes; beyond it the files used least recently go
	now func() time.Time
}

const (
	// cacheCap holds some thousand programs; one has 10 to 300 KB.
	cacheCap = 256 << 20
	// maxBinary bounds what is read into memory for one program.
	maxBinary = 64 << 20
	// abandoned is when a temporary file belongs to a process that died.
	abandoned = time.Hour
	// failureMemory is how long a kernel that failed its self-test is not tried
	// again: a device may have been hot or overclocked. A pass is good for ever.
	failureMemory = 24 * time.Hour
)

// Endings of the files. A temporary one begins with tempPrefix.
const (
	binaryEnding  = ".bin"
	verdictEnding = ".test"
	tempPrefix    = "new-"
)

// verdictVersion changes with what the self-test asks.
const verdictVersion = 1

// openBinaryCache uses dir, or glattn/programs in the user's cache directory, and
// returns nil where neither can be had.
func openBinaryCache(dir string) *binaryCache {
	if dir = cacheDir(dir); dir == "" || os.MkdirAll(dir, 0o700) != nil {
		return nil
	}
	return &binaryCache{dir: dir, cap: cacheCap, now: time.Now}
}

func (c *binaryCache) path(key string) string { return filepath.Join(c.dir, key+binaryEnding) }

// load returns the binary stored under key.
func (c *binaryCache) load(key string) (format uint32, data []byte, ok bool) {
	return c.read(key + binaryEnding)
}

// store keeps a binary.
func (c *binaryCache) store(key string, format uint32, data []byte) {
	c.write(key+binaryEnding, format, data)
}

// has reports whether load would find something, which may still turn out damaged.
func (c *binaryCache) has(key string) bool {
	if c == nil {
		return false
	}
	_, err := os.Stat(c.path(key))
	return err == nil
}

// remove forgets a binary.
func (c *binaryCache) remove(key string) {
	if c != nil {
		c.delete(key + binaryEnding)
	}
}

// verdict returns what judge stored under key: "" for a pass, or what was wrong.
func (c *binaryCache) verdict(key string) (detail string, known bool) {
	version, data, ok := c.read(key + verdictEnding)
	if !ok || version != verdictVersion || len(data) < 9 {
		return "", false
	}
	judged := time.Unix(int64(binary.LittleEndian.Uint64(data)), 0)
	if data[8] == 0 && c.now().Sub(judged) > failureMemory {
		return "", false
	}
	return string(data[9:]), true
}

// judge keeps the verdict of a self-test: when, 1 for a pass, what was wrong.
func (c *binaryCache) judge(key, detail string) {
	if c == nil {
		return
	}
	data := binary.LittleEndian.AppendUint64(nil, uint64(c.now().Unix()))
	if detail == "" {
		data = append(data, 1)
	} else {
		data = append(append(data, 0), detail...)
	}
	c.write(key+verdictEnding, verdictVersion, data)
}

// read returns the content of a file: a number, a checksum, data.
func (c *binaryCache) read(name string) (number uint32, data []byte, ok bool) {
	if c == nil {
		return 0, nil, false
	}
	path := filepath.Join(c.dir, name)
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || info.Size() > maxBinary {
		return 0, nil, false
	}
	file, err := os.ReadFile(path)
	if err != nil {
		return 0, nil, false
	}
	if len(file) <= 4+sha256.Size {
		c.delete(name)
		return 0, nil, false
	}
	data = file[4+sha256.Size:]
	// The number is part of what is summed, since a driver trusts it.
	if sum := checksum(file[:4], data); !bytes.Equal(sum, file[4:4+sha256.Size]) {
		c.delete(name)
		return 0, nil, false
	}
	_ = os.Chtimes(path, c.now(), c.now()) // used now; a file that stays old only goes earlier
	return binary.LittleEndian.Uint32(file), data, true
}

func checksum(number, data []byte) []byte {
	sum := sha256.New()
	sum.Write(number)
	sum.Write(data)
	return sum.Sum(nil)
}

// write replaces a file as a whole, so that a reader never sees half of one.
func (c *binaryCache) write(name string, number uint32, data []byte) {
	if c == nil || len(data) > maxBinary/2 {
		return
	}
	head := binary.LittleEndian.AppendUint32(nil, number)
	if replaceFile(filepath.Join(c.dir, name), slices.Concat(head, checksum(head, data), data), c.now()) == nil {
		c.trim() // else nothing is lost with it
	}
}

// delete removes a file; one that stays is overwritten or refused again.
func (c *binaryCache) delete(name string) { _ = os.Remove(filepath.Join(c.dir, name)) }

// trim removes the files used least recently until three quarters of the cap are
// left, and what dead processes left behind. Another process may do the same or
// load one of them at this moment: it then misses and compiles.
func (c *binaryCache) trim() {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return
	}
	var files []fs.FileInfo
	total := int64(0)
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		switch name := entry.Name(); {
		case strings.HasPrefix(name, tempPrefix):
			if c.now().Sub(info.ModTime()) > abandoned {
				c.delete(name)
			}
		case strings.HasSuffix(name, binaryEnding) || strings.HasSuffix(name, verdictEnding):
			files = append(files, info)
			total += info.Size()
		} // whatever else lies there is not ours
	}
	if total <= c.cap {
		return
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int {
		return cmp.Or(a.ModTime().Compare(b.ModTime()), cmp.Compare(a.Name(), b.Name()))
	})
	for _, info := range files {
		if total <= c.cap/4*3 {
			return
		}
		c.delete(info.Name())
		total -= info.Size()
	}
}
