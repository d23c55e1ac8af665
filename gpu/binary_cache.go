package gpu

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"os"
	"path/filepath"
)

// binaryCache keeps program binaries in files named by their key. It only saves
// time: whatever goes wrong with it reads as a miss. A nil cache holds nothing.
type binaryCache struct{ dir string }

// openBinaryCache uses dir, or glattn/programs in the user's cache directory, and
// returns nil where neither can be had.
func openBinaryCache(dir string) *binaryCache {
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return nil
		}
		dir = filepath.Join(base, "glattn", "programs")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil
	}
	return &binaryCache{dir: dir}
}

func (c *binaryCache) path(key string) string { return filepath.Join(c.dir, key+".bin") }

// load returns the binary stored under key. Files are format, checksum, data.
func (c *binaryCache) load(key string) (format uint32, data []byte, ok bool) {
	if c == nil {
		return 0, nil, false
	}
	file, err := os.ReadFile(c.path(key))
	if err != nil || len(file) <= 4+sha256.Size {
		return 0, nil, false
	}
	data = file[4+sha256.Size:]
	if sum := sha256.Sum256(data); !bytes.Equal(sum[:], file[4:4+sha256.Size]) {
		c.remove(key)
		return 0, nil, false
	}
	return binary.LittleEndian.Uint32(file), data, true
}

// store writes to a temporary file and renames it, so that a reader never sees
// half a binary.
func (c *binaryCache) store(key string, format uint32, data []byte) {
	if c == nil {
		return
	}
	temp, err := os.CreateTemp(c.dir, "new-*")
	if err != nil {
		return
	}
	sum := sha256.Sum256(data)
	head := binary.LittleEndian.AppendUint32(nil, format)
	_, err = temp.Write(append(append(head, sum[:]...), data...))
	if closeErr := temp.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(temp.Name(), c.path(key))
	}
	if err != nil {
		_ = os.Remove(temp.Name()) // nothing is lost with it
	}
}

func (c *binaryCache) remove(key string) {
	if c != nil {
		_ = os.Remove(c.path(key)) // a file that stays is overwritten or refused again
	}
}
