package vectors

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/npy"
)

// storage maps a dtype of case.json to NumPy's name and the type its tensors
// take here. Backends store no float64, so that is narrowed; whole numbers never
// become tensors.
var storage = map[string]struct {
	npy    string
	tensor attention.DType
}{
	"float32": {"f4", attention.Float32}, "float16": {"f2", attention.Float16}, "bfloat16": {"u2", attention.BFloat16},
	"float64": {"f8", attention.Float32}, "bool": {"b1", attention.Bool}, "int32": {"i4", attention.NoType},
	"int64": {"i8", attention.NoType},
}

// array is a host array in C order. Its values are widened exactly, and rounded
// to dtype when they become a tensor.
type array struct {
	dtype  attention.DType
	shape  []int
	values []float64
}

// read loads an operand and checks it against its description.
func (o Operand) read(dir string) (array, error) {
	path := filepath.Join(dir, o.File)
	file, err := npy.Read(path)
	if err != nil {
		return array{}, err
	}
	kind, ok := storage[o.DType]
	if !ok {
		return array{}, missing(fmt.Sprintf("dtype %s of %s", o.DType, o.Name))
	}
	if file.DType != kind.npy || !slices.Equal(file.Shape, o.Shape) {
		return array{}, fmt.Errorf("%s holds %v, %s says %s%v", path, file, fileName, kind.npy, o.Shape)
	}
	if reach := reach(o.Shape); reach > maxReach {
		return array{}, fmt.Errorf("%s: sizes %v of an empty array multiply to more than %d", path, o.Shape, maxReach)
	}
	a := array{dtype: kind.tensor, shape: o.Shape}
	if kind.tensor == attention.NoType {
		list, err := file.Ints()
		if err != nil {
			return array{}, fmt.Errorf("%s: %w", path, err)
		}
		for _, v := range list {
			a.values = append(a.values, float64(v))
		}
		return a, nil
	}
	file.Shape = []int{file.Len()} // tensors have four axes, packed projections and stacked caches five
	t, _, err := file.Tensor(kind.tensor)
	if err != nil {
		return array{}, fmt.Errorf("%s: %w", path, err)
	}
	a.values = flatten(t)
	return a, nil
}

// maxReach bounds the loops over an array: without elements, a file of a few
// bytes may claim any sizes on its other axes.
const maxReach = 1 << 30

// reach multiplies the sizes, taking empty axes for one, up to beyond maxReach.
func reach(shape []int) int {
	n := 1
	for _, size := range shape {
		if n > maxReach/max(size, 1) {
			return maxReach + 1
		}
		n *= max(size, 1)
	}
	return n
}

// flatten returns the elements of a tensor in row-major order.
func flatten(t attention.Tensor) []float64 {
	s := t.Shape()
	list := make([]float64, 0, s[0]*s[1]*s[2]*s[3])
	for b := range s[0] {
		for h := range s[1] {
			for i := range s[2] {
				for d := range s[3] {
					list = append(list, t.At(b, h, i, d))
				}
			}
		}
	}
	return list
}

// tensor copies an array of up to four axes, rounding to its dtype.
func (a array) tensor() attention.Tensor {
	shape := a.shape
	if len(shape) == 0 {
		shape = []int{1}
	}
	t := attention.Zeros(a.dtype, shape...)
	s := t.Shape()
	for n, v := range a.values {
		d, i, h := n%s[3], n/s[3]%s[2], n/s[3]/s[2]%s[1]
		t.Set(n/s[3]/s[2]/s[1], h, i, d, v)
	}
	return t
}

// rounded returns the array with its values as storage keeps them.
func (a array) rounded() array {
	cell := attention.Zeros(a.dtype, 1)
	list := make([]float64, len(a.values))
	for n, v := range a.values {
		cell.Set(0, 0, 0, 0, v)
		list[n] = cell.At(0, 0, 0, 0)
	}
	a.values = list
	return a
}

// present reports whether the array holds anything; the zero array does not.
func (a array) present() bool { return a.dtype != attention.NoType }

// at returns an element of an array of four axes.
func (a array) at(b, h, i, d int) float64 {
	return a.values[((b*a.shape[1]+h)*a.shape[2]+i)*a.shape[3]+d]
}

// make4 makes an array of four axes from a formula for its elements.
func make4(dtype attention.DType, shape [4]int, element func(b, h, i, d int) float64) array {
	a := array{dtype: dtype, shape: shape[:], values: make([]float64, 0, shape[0]*shape[1]*shape[2]*shape[3])}
	for b := range shape[0] {
		for h := range shape[1] {
			for i := range shape[2] {
				for d := range shape[3] {
					a.values = append(a.values, element(b, h, i, d))
				}
			}
		}
	}
	return a
}

// whole checks that the array holds whole numbers.
func (a array) whole(name string) error {
	if a.dtype != attention.NoType {
		return fmt.Errorf("%s is %v, want whole numbers", name, a.dtype)
	}
	return nil
}

// expect checks the number of axes and the sizes; −1 accepts any.
func (a array) expect(name string, shape ...int) error {
	ok := len(a.shape) == len(shape)
	for axis := range shape {
		ok = ok && (shape[axis] == -1 || shape[axis] == a.shape[axis])
	}
	if !ok {
		return fmt.Errorf("%s has shape %v, want %v", name, a.shape, shape)
	}
	return nil
}
