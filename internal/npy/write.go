package npy

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"codeberg.org/sbinet/npyio/npy"

	"github.com/glattn/attention"
)

// Write stores a tensor at path in row-major order with the given sizes, which
// must hold as many elements; without sizes the tensor's own four are used.
// bfloat16 is written as u2. The file appears whole or not at all.
func Write(path string, t attention.Tensor, shape ...int) error {
	a, err := FromTensor(t, shape...)
	if err != nil {
		var e *Error
		if errors.As(err, &e) {
			e.File = path
		}
		return err
	}
	return a.Write(path)
}

// Write stores the array at path, whole or not at all: through a temporary file
// beside it and a rename.
func (a *Array) Write(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return &Error{File: path, Err: err}
	}
	w := bufio.NewWriter(f)
	err = a.Encode(w)
	for _, step := range []func() error{w.Flush, func() error { return f.Chmod(0o644) }, f.Sync} {
		if err == nil {
			err = step()
		}
	}
	err = errors.Join(err, f.Close()) // closed in any case: Windows renames and removes no open file
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return &Error{File: path, Err: errors.Join(err, os.Remove(f.Name()))}
	}
	return nil
}

// Encode writes the array to w: format 1.0, little endian, C order. The library
// writes no empty axes and does not align its headers, so ours is made here.
func (a *Array) Encode(w io.Writer) error {
	mark := "<"
	if elements[a.DType].size == 1 {
		mark = "|"
	}
	sizes := make([]string, len(a.Shape))
	for axis, size := range a.Shape {
		sizes[axis] = fmt.Sprint(size)
	}
	shape := strings.Join(sizes, ", ")
	if len(sizes) == 1 {
		shape += "," // as a Python tuple of one
	}
	text := fmt.Sprintf("{'descr': '%s%s', 'fortran_order': False, 'shape': (%s), }", mark, a.DType, shape)
	const align, fixed = 64, len(npy.Magic) + 2 + 2
	text += strings.Repeat(" ", align-1-(fixed+len(text))%align) + "\n"
	if len(text) > 0xffff {
		return fault(ErrFormat, "%d axes make a header of %d bytes", len(a.Shape), len(text))
	}
	head := append(npy.Magic[:len(npy.Magic):len(npy.Magic)], 1, 0)
	head = binary.LittleEndian.AppendUint16(head, uint16(len(text)))
	if _, err := w.Write(append(head, text...)); err != nil {
		return err
	}
	return binary.Write(w, binary.LittleEndian, a.data)
}
