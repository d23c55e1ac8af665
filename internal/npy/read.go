package npy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"strings"

	"codeberg.org/sbinet/npyio/npy"
)

// maxHeader bounds the header text; NumPy itself refuses more than 10 000 bytes
// unless told to trust the file.
const maxHeader = 1 << 16

// Read reads the file at path. The error is an [Error] naming it.
func Read(path string) (*Array, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &Error{File: path, Err: err}
	}
	defer func() { _ = f.Close() }() // nothing was written
	info, err := f.Stat()
	if err != nil {
		return nil, &Error{File: path, Err: err}
	}
	if !info.Mode().IsRegular() {
		return nil, &Error{File: path, Err: ErrFormat, Reason: "not a regular file"}
	}
	a, err := Decode(f, info.Size())
	var e *Error
	if errors.As(err, &e) {
		e.File = path
	}
	return a, err
}

// Decode reads an array from r, which holds size bytes in all. Fewer or more
// bytes than the header claims are an [Error] of kind ErrSize; a claim beyond
// size is found before any memory is asked for.
func Decode(r io.Reader, size int64) (*Array, error) {
	h, length, err := readHeader(r, size)
	if err != nil {
		return nil, err
	}
	dtype, order, err := elementType(h.Descr.Type)
	if err != nil {
		return nil, err
	}
	el := elements[dtype]
	n, err := count(h.Descr.Shape, math.MaxInt/8)
	if err != nil {
		return nil, err
	}
	if want, left := int64(n)*int64(el.size), size-length; want != left {
		return nil, fault(ErrSize, "shape %v of %s takes %d bytes, the file has %d", h.Descr.Shape, dtype, want, left)
	}
	a := &Array{DType: dtype, Shape: append([]int{}, h.Descr.Shape...), data: el.make(n)}
	if n > 0 { // binary.Read takes an empty slice for the end of the file
		if err := binary.Read(r, order, a.data); err != nil {
			return nil, &Error{Err: ErrSize, Reason: err.Error()}
		}
	}
	if h.Descr.Fortran {
		a.data = el.toC(a.data, a.Shape)
	}
	return a, nil
}

// readHeader checks the fixed prefix and hands the text to the library. length
// is the number of bytes read.
func readHeader(r io.Reader, size int64) (h npy.Header, length int64, err error) {
	prefix := make([]byte, 8)
	if _, err := io.ReadFull(r, prefix); err != nil {
		return h, 0, fault(ErrFormat, "no room for magic and version: %v", err)
	}
	if !bytes.Equal(prefix[:6], npy.Magic[:]) {
		return h, 0, fault(ErrFormat, "starts with %q, want %q", prefix[:6], npy.Magic[:])
	}
	width := 4
	switch prefix[6] {
	case 1:
		width = 2
	case 2:
	case 3:
		prefix[6] = 2 // differs from 2.0 only in the text's encoding, which the library does not know
	default:
		return h, 0, fault(ErrFormat, "version %d.%d, want 1.0, 2.0 or 3.0", prefix[6], prefix[7])
	}
	field := make([]byte, 4)
	if _, err := io.ReadFull(r, field[:width]); err != nil {
		return h, 0, fault(ErrFormat, "no room for the header's length: %v", err)
	}
	text := int64(binary.LittleEndian.Uint32(field))
	length = int64(len(prefix)+width) + text
	if text > maxHeader || length > size {
		return h, 0, fault(ErrFormat, "header of %d bytes, the file has %d and the limit is %d", text, size, maxHeader)
	}
	whole := append(append(prefix, field[:width]...), make([]byte, text)...)
	if _, err := io.ReadFull(r, whole[len(whole)-int(text):]); err != nil {
		return h, 0, fault(ErrFormat, "truncated header: %v", err)
	}
	h, err = parseHeader(whole)
	return h, length, err
}

// parseHeader runs the library's parser, which slices without looking: on text
// that is not a dictionary in NumPy's own style it panics.
func parseHeader(whole []byte) (h npy.Header, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault(ErrFormat, "header is not NumPy's dictionary: %v", p)
		}
	}()
	r, err := npy.NewReader(bytes.NewReader(whole))
	if err != nil {
		return h, &Error{Err: ErrFormat, Reason: err.Error()}
	}
	return r.Header, nil
}

// elementType splits a description such as '<f4' into name and byte order.
func elementType(descr string) (string, binary.ByteOrder, error) {
	text := strings.Trim(descr, `'"`)
	name := strings.TrimLeft(text, "<>|=")
	if _, ok := elements[name]; !ok || len(text)-len(name) > 1 {
		return "", nil, fault(ErrType, "unknown element type %s", descr)
	}
	if text[0] == '>' {
		return name, binary.BigEndian, nil
	}
	if text[0] == '=' || (text == name && elements[name].size > 1) {
		return "", nil, fault(ErrType, "element type %s has no byte order", descr)
	}
	return name, binary.LittleEndian, nil
}

// transposed returns the elements of an array stored first axis fastest in C order.
func transposed[T any](data []T, shape []int) []T {
	list := make([]T, len(data))
	index := make([]int, len(shape))
	for to := range list {
		from, stride := 0, 1
		for axis, size := range shape {
			from += index[axis] * stride
			stride *= size
		}
		list[to] = data[from]
		for axis := len(shape) - 1; axis >= 0; axis-- {
			if index[axis]++; index[axis] < shape[axis] {
				break
			}
			index[axis] = 0
		}
	}
	return list
}
