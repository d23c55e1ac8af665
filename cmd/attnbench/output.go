package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v3"
)

// output is a file that appears whole at the end, or not at all. A nil output
// does nothing.
type output struct {
	path string
	file *os.File
	temp bool // file is beside path and takes its place at the end
}

// flagOutput is openOutput of a flag's path.
func flagOutput(c *cli.Command, flag string) (*output, error) {
	o, err := openOutput(c.String(flag))
	if err != nil {
		return nil, fmt.Errorf("%s: -%s: %w", c.Name, flag, err)
	}
	return o, nil
}

// openOutput prepares to write path, so that a folder that cannot be written to is
// found before the work and not after it. "-" is standard output; an empty path
// gives a nil output. What is no regular file, such as a pipe, is written directly.
func openOutput(path string) (*output, error) {
	switch info, err := os.Stat(path); {
	case path == "":
		return nil, nil
	case path == "-":
		return &output{path: path}, nil
	case err == nil && info.IsDir():
		return nil, fmt.Errorf("%s: is a folder", path)
	case err == nil && !info.Mode().IsRegular():
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		return &output{path: path, file: file}, err
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, err
	}
	return &output{path: path, file: file, temp: true}, nil
}

// commit writes v as JSON, and the file is there.
func (o *output) commit(stdout io.Writer, v any) error {
	return o.commitBy(stdout, func(w io.Writer) error { return writeJSON(w, v) })
}

// commitBy is commit for what is not JSON.
func (o *output) commitBy(stdout io.Writer, write func(io.Writer) error) error {
	if o == nil {
		return nil
	}
	if o.file == nil {
		return write(stdout)
	}
	err := write(o.file)
	if o.temp && err == nil {
		err = o.file.Chmod(0o644)
	}
	err = errors.Join(err, o.file.Close())
	if o.temp && err == nil {
		err = os.Rename(o.file.Name(), o.path)
	}
	if o.temp && err != nil {
		err = errors.Join(err, os.Remove(o.file.Name()))
	}
	o.file, o.temp = nil, false
	return err
}

// drop removes what was prepared and not committed.
func (o *output) drop() {
	if o == nil || o.file == nil {
		return
	}
	_ = o.file.Close()
	if o.temp {
		_ = os.Remove(o.file.Name())
	}
}

func writeJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}
