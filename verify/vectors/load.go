package vectors

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// fileName is what makes a folder a case.
const fileName = "case.json"

// ErrLoad means that a folder of vectors is missing, empty or malformed.
var ErrLoad = errors.New("vectors: cannot load")

// Load returns the cases under dir, which is a case's folder, a folder of cases
// or a folder of such folders, sorted by path. The descriptions are checked and
// their files must exist; tensors are read by [Case.Run]. The error is an
// ErrLoad that names the file.
func Load(dir string) ([]Case, error) {
	root, err := filepath.EvalSymlinks(dir) // the walk below does not enter a link
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLoad, err)
	}
	var cases []Case
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() != fileName {
			return err
		}
		c, err := loadCase(path)
		cases = append(cases, c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLoad, err)
	}
	if len(cases) == 0 {
		return nil, fmt.Errorf("%w: no %s under %s", ErrLoad, fileName, dir)
	}
	slices.SortFunc(cases, func(a, b Case) int { return strings.Compare(a.Dir, b.Dir) })
	return cases, nil
}

func loadCase(path string) (Case, error) {
	c := Case{Dir: filepath.Dir(path)}
	text, err := os.ReadFile(path)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	if err := c.validate(); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	for _, o := range slices.Concat(c.Inputs, c.Outputs) {
		if _, err := os.Stat(filepath.Join(c.Dir, o.File)); err != nil {
			return c, fmt.Errorf("%s: tensor %s: %w", path, o.Name, err)
		}
	}
	return c, nil
}
