package npy_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/npy"
)

// file makes the bytes of a file of the given version as NumPy lays them out.
func file(version byte, descr, order, shape string, body any) []byte {
	text := fmt.Sprintf("{'descr': %s, 'fortran_order': %s, 'shape': %s, }", descr, order, shape)
	return raw(version, text+"\n", body)
}

func raw(version byte, text string, body any) []byte {
	b := append([]byte("\x93NUMPY"), version, 0)
	if version == 1 {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(text)))
	} else {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(text)))
	}
	b = append(b, text...)
	if body != nil {
		b, _ = binary.Append(b, binary.LittleEndian, body)
	}
	return b
}

func decode(b []byte) (*npy.Array, error) { return npy.Decode(bytes.NewReader(b), int64(len(b))) }

func TestDecode(t *testing.T) {
	six := []float32{1, 2, 3, 4, 5, 6}
	tests := []struct {
		name  string
		bytes []byte
		shape []int
		want  any
	}{
		{"f4", file(1, "'<f4'", "False", "(2, 3)", six), []int{2, 3}, six},
		{"fortran order", file(1, "'<f4'", "True", "(2, 3)", six), []int{2, 3}, []float32{1, 3, 5, 2, 4, 6}},
		{"fortran order of three axes", file(1, "'<f4'", "True", "(1, 3, 2)", six), []int{1, 3, 2}, []float32{1, 4, 2, 5, 3, 6}},
		{"version 2", file(2, "'<f4'", "False", "(6,)", six), []int{6}, six},
		{"version 3", file(3, "'<f4'", "False", "(6,)", six), []int{6}, six},
		{"scalar", file(1, "'<f4'", "False", "()", six[:1]), []int{}, six[:1]},
		{"no elements", file(1, "'<f4'", "False", "(2, 0, 8)", nil), []int{2, 0, 8}, []float32{}},
		{"no elements in fortran order", file(1, "'<f4'", "True", "(2, 0)", nil), []int{2, 0}, []float32{}},
		{"big endian", file(1, "'>f4'", "False", "(1,)", []byte{0x40, 0x40, 0, 0}), []int{1}, []float32{3}},
		{"f2", file(1, "'<f2'", "False", "(2,)", []uint16{0x3c00, 0xfc00}), []int{2}, []float64{1, math.Inf(-1)}},
		{"f8", file(1, "'<f8'", "False", "(2,)", []float64{math.Pi, -0.5}), []int{2}, []float64{math.Pi, -0.5}},
		{"u2", file(1, "'<u2'", "False", "(2,)", []uint16{0x3f80, 7}), []int{2}, []uint16{0x3f80, 7}},
		{"b1", file(1, "'|b1'", "False", "(3,)", []byte{1, 0, 1}), []int{3}, []bool{true, false, true}},
		{"i8", file(1, "'<i8'", "False", "(2,)", []int64{-1, 1 << 40}), []int{2}, []int{-1, 1 << 40}},
		{"i4", file(1, "'<i4'", "False", "(2,)", []int32{-1, 7}), []int{2}, []int{-1, 7}},
		{"u1", file(1, "'|u1'", "False", "(2,)", []uint8{255, 7}), []int{2}, []int{255, 7}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, err := decode(test.bytes)
			require.NoError(t, err)
			require.Equal(t, test.shape, a.Shape)
			var got any
			switch test.want.(type) {
			case []float32:
				got, err = a.Float32s()
			case []float64:
				got, err = a.Float64s()
			case []uint16:
				got, err = a.Uint16s()
			case []bool:
				got, err = a.Bools()
			case []int:
				got, err = a.Ints()
			}
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := file(1, "'<f4'", "False", "(2, 3)", make([]float32, 6))
	tests := []struct {
		name  string
		bytes []byte
		kind  error
	}{
		{"empty", nil, npy.ErrFormat},
		{"magic only", good[:6], npy.ErrFormat},
		{"other magic", append([]byte("\x94NUMPY"), good[6:]...), npy.ErrFormat},
		{"version 4", file(4, "'<f4'", "False", "(1,)", []float32{1}), npy.ErrFormat},
		{"truncated header length", good[:9], npy.ErrFormat},
		{"truncated header", good[:20], npy.ErrFormat},
		{"header of 4 GB", append([]byte("\x93NUMPY\x02\x00"), 0xff, 0xff, 0xff, 0xff), npy.ErrFormat},
		{"header without newline", raw(1, "{'descr': '<f4'}", nil), npy.ErrFormat},
		{"header that is no dictionary", raw(1, "nothing\n", nil), npy.ErrFormat},
		{"keys in another order", raw(1, "{'shape': (1,), 'descr': '<f4', 'fortran_order': False, }\n", []float32{1}), npy.ErrFormat},
		{"shape without brackets", file(1, "'<f4'", "False", "", nil), npy.ErrFormat},
		{"shape of words", file(1, "'<f4'", "False", "(two,)", nil), npy.ErrFormat},
		{"negative size", file(1, "'<f4'", "False", "(-1,)", []float32{1}), npy.ErrFormat},
		{"order of maybe", file(1, "'<f4'", "Maybe", "(1,)", []float32{1}), npy.ErrFormat},
		{"truncated body", good[:len(good)-1], npy.ErrSize},
		{"trailing bytes", append(append([]byte{}, good...), 0), npy.ErrSize},
		{"claim of 2^62", file(1, "'<f4'", "False", "(4611686018427387904,)", nil), npy.ErrSize},
		{"claim that wraps to 1", file(1, "'<f4'", "False", "(4294967297, 4294967297, 4294967297)", []float32{1}), npy.ErrSize},
		{"claim beyond 64 bits", file(1, "'<f4'", "False", "(18446744073709551617,)", nil), npy.ErrFormat},
		{"complex", file(1, "'<c8'", "False", "(1,)", make([]byte, 8)), npy.ErrType},
		{"structure", file(1, "[('a', '<f4')]", "False", "(1,)", make([]byte, 4)), npy.ErrType},
		{"no byte order", file(1, "'f4'", "False", "(1,)", make([]byte, 4)), npy.ErrType},
		{"empty type", file(1, "''", "False", "(1,)", make([]byte, 4)), npy.ErrType},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, err := decode(test.bytes)
			require.ErrorIs(t, err, test.kind)
			require.Nil(t, a)
			var typed *npy.Error
			require.ErrorAs(t, err, &typed)
			require.NotEmpty(t, typed.Reason)
		})
	}
}

func TestReadNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	_, err := npy.Read(filepath.Join(dir, "absent.npy"))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "absent.npy")

	_, err = npy.Read(dir)
	require.ErrorIs(t, err, npy.ErrFormat)

	short := filepath.Join(dir, "short.npy")
	require.NoError(t, os.WriteFile(short, file(1, "'<f4'", "False", "(2,)", []float32{1}), 0o600))
	_, err = npy.Read(short)
	require.ErrorIs(t, err, npy.ErrSize)
	require.ErrorContains(t, err, "short.npy")
	require.ErrorContains(t, err, "takes 8 bytes, the file has 4")
}

func TestWrongType(t *testing.T) {
	f4, err := npy.New("f4", []float32{1, 2}, 2)
	require.NoError(t, err)
	half, err := npy.New("f2", []uint16{1}, 1)
	require.NoError(t, err)
	big, err := npy.New("u8", []uint64{math.MaxUint64}, 1)
	require.NoError(t, err)
	wide, err := npy.New("f8", []float64{1e300}, 1)
	require.NoError(t, err)
	five, err := npy.New("f4", []float32{1}, 1, 1, 1, 1, 1)
	require.NoError(t, err)
	for name, call := range map[string]func() error{
		"f4 as bool":            func() error { _, err := f4.Bools(); return err },
		"f4 as f2":              func() error { _, err := f4.Float16s(); return err },
		"f4 as int":             func() error { _, err := f4.Ints(); return err },
		"f2 as u2":              func() error { _, err := half.Uint16s(); return err },
		"u8 beyond int":         func() error { _, err := big.Ints(); return err },
		"u8 as float":           func() error { _, err := big.Float64s(); return err },
		"f2 as bfloat16":        func() error { _, _, err := half.Tensor(attention.BFloat16); return err },
		"f8 beyond float32":     func() error { _, _, err := wide.Tensor(attention.Float32); return err },
		"unknown":               func() error { _, err := npy.New("f3", []float32{1}, 1); return err },
		"slice of another":      func() error { _, err := npy.New("f8", []float32{1}, 1); return err },
		"tensor that is absent": func() error { _, err := npy.FromTensor(attention.Tensor{}); return err },
	} {
		require.ErrorIs(t, call(), npy.ErrType, name)
	}
	_, _, err = five.Tensor(attention.Float32)
	require.ErrorIs(t, err, npy.ErrFormat)
	_, err = npy.New("f4", []float32{1}, 2)
	require.ErrorIs(t, err, npy.ErrSize)
}

func TestTensor(t *testing.T) {
	bf, err := npy.New("u2", []uint16{0x3f80, 0xc000}, 2)
	require.NoError(t, err)
	x, note, err := bf.Tensor(attention.BFloat16)
	require.NoError(t, err)
	require.Empty(t, note)
	require.Equal(t, -2.0, x.At(0, 0, 0, 1))

	wide, err := npy.New("f8", []float64{0.1, math.Inf(-1)}, 2, 1)
	require.NoError(t, err)
	x, note, err = wide.Tensor(attention.Float32)
	require.NoError(t, err)
	require.Contains(t, note, "narrowed")
	require.Equal(t, float64(float32(0.1)), x.At(0, 0, 0, 0))
	require.Equal(t, math.Inf(-1), x.At(0, 0, 1, 0))

	one, err := npy.New("f4", []float32{7})
	require.NoError(t, err)
	x, _, err = one.Tensor(attention.Float32)
	require.NoError(t, err)
	require.Equal(t, [4]int{1, 1, 1, 1}, x.Shape())
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	strided := attention.NewFloat32([]float32{1, 2, 3, 4, 5, 6}, 2, 3).Transpose(attention.AxisSequence, attention.AxisDim)
	tests := []struct {
		name   string
		tensor attention.Tensor
		shape  []int
		want   []int
	}{
		{"strided", strided, []int{3, 2}, []int{3, 2}},
		{"own shape", strided, nil, []int{1, 1, 3, 2}},
		{"empty", attention.Zeros(attention.Float32, 1, 0, 2), []int{0, 2}, []int{0, 2}},
		{"f16", attention.NewFloat16([]uint16{1, 2}, 2), []int{2}, []int{2}},
		{"bf16", attention.NewBFloat16([]uint16{1, 2}, 2), []int{2, 1, 1, 1, 1}, []int{2, 1, 1, 1, 1}},
		{"bool", attention.NewBool([]bool{true, false}, 2), []int{2}, []int{2}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(dir, test.name+".npy")
			require.NoError(t, npy.Write(path, test.tensor, test.shape...))
			info, err := os.Stat(path)
			require.NoError(t, err)
			a, err := npy.Read(path)
			require.NoError(t, err)
			require.Equal(t, test.want, a.Shape)
			body := int64(a.Len() * test.tensor.DType().Size())
			require.Zero(t, (info.Size()-body)%64, "the body must start at a multiple of 64")
			if len(a.Shape) <= 4 {
				back, _, err := a.Tensor(test.tensor.DType())
				require.NoError(t, err)
				again, err := npy.FromTensor(back, a.Shape...)
				require.NoError(t, err)
				require.Equal(t, a, again)
			}
		})
	}
	a, err := npy.Read(filepath.Join(dir, "strided.npy"))
	require.NoError(t, err)
	got, err := a.Float32s()
	require.NoError(t, err)
	require.Equal(t, []float32{1, 4, 2, 5, 3, 6}, got)
}

func TestWriteIsWholeOrNothing(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "taken.npy")
	require.NoError(t, os.MkdirAll(filepath.Join(target, "inside"), 0o750)) // a rename onto it must fail
	var typed *npy.Error
	require.ErrorAs(t, npy.Write(target, attention.Zeros(attention.Float32, 2)), &typed)
	require.Equal(t, target, typed.File)
	require.ErrorIs(t, npy.Write(filepath.Join(dir, "x.npy"), attention.Zeros(attention.Float32, 2), 3), npy.ErrSize)
	require.ErrorIs(t, npy.Write(filepath.Join(dir, "no", "x.npy"), attention.Zeros(attention.Float32, 2)), os.ErrNotExist)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "no temporary file may stay behind")
}

func FuzzRead(f *testing.F) {
	f.Add(file(1, "'<f4'", "False", "(2, 3)", make([]float32, 6)))
	f.Add(file(2, "'<f2'", "True", "(2, 3)", make([]uint16, 6)))
	f.Add(file(3, "'|b1'", "False", "()", []byte{1}))
	f.Add(file(1, "'>i8'", "False", "(0, 4611686018427387904)", nil))
	f.Add(raw(1, "}'descr': 'shape': 'fortran_order': \n", nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := decode(data)
		if err != nil {
			var typed *npy.Error
			require.ErrorAs(t, err, &typed)
			return
		}
		require.LessOrEqual(t, a.Len(), len(data))
		var out bytes.Buffer
		if err := a.Encode(&out); err != nil {
			require.ErrorIs(t, err, npy.ErrFormat)
			return
		}
		again, err := decode(out.Bytes())
		require.NoError(t, err)
		require.Equal(t, a.Shape, again.Shape)
		var second bytes.Buffer // compared as bytes, so that NaN equals itself
		require.NoError(t, again.Encode(&second))
		require.Equal(t, out.Bytes(), second.Bytes())
	})
}
