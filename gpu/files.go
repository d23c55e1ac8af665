package gpu

import (
	"os"
	"path/filepath"
	"time"
)

// cacheDir returns dir, or glattn/programs in the user's cache directory; empty where
// there is none.
func cacheDir(dir string) string {
	if dir != "" {
		return dir
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(base, "glattn", "programs")
}

// replaceFile writes a file as a whole or not at all, for readers too, with the time given
// and not that of a file server.
func replaceFile(path string, data []byte, now time.Time) error {
	temp, err := os.CreateTemp(filepath.Dir(path), tempPrefix+"*")
	if err != nil {
		return err
	}
	_, err = temp.Write(data)
	if closeErr := temp.Close(); err == nil {
		err = closeErr
	}
	_ = os.Chtimes(temp.Name(), now, now)
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(temp.Name())
	}
	return err
}
