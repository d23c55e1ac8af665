package gpu

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func files(m map[string]string) fs.FS {
	f := fstest.MapFS{}
	for name, text := range m {
		f[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return f
}

func TestComposeOrder(t *testing.T) {
	s, err := compose(files(map[string]string{
		"k.comp": "// kernel\n#include \"a.glsl\"\n#include \"b.glsl\"\nvoid main() {}\n",
		"a.glsl": "int a;\n",
		"b.glsl": "#include \"a.glsl\"\nint b;", // the last line has no end
	}), "k.comp", [3]int{8, 2, 1}, map[string]string{"Z": "1", "FLAG": "", "A": "3"})
	require.NoError(t, err)
	require.Equal(t, strings.Join([]string{
		"#version 430 core",
		"layout(local_size_x = 8, local_size_y = 2, local_size_z = 1) in;",
		"#define A 3", "#define FLAG", "#define Z 1",
		"// kernel", "int a;", "int b;", "void main() {}", "",
	}, "\n"), s.text)
	require.Equal(t, []location{
		{"(version)", 1}, {"(size)", 1}, {"(defines)", 1}, {"(defines)", 2}, {"(defines)", 3},
		{"k.comp", 1}, {"a.glsl", 1}, {"b.glsl", 2}, {"k.comp", 4},
	}, s.lines)
}

func TestComposeIncludesItselfOnce(t *testing.T) {
	s, err := compose(files(map[string]string{"k.comp": "#include \"k.comp\"\n#include \"a.glsl\"\nk", "a.glsl": "#include \"k.comp\"\na"}), "k.comp", [3]int{1, 1, 1}, nil)
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(s.text, ") in;\na\nk\n"), s.text)
}

func TestComposeErrors(t *testing.T) {
	for _, tc := range []struct{ name, kernel, part, want string }{
		{"missing", "\n#include \"gone.glsl\"\n", "", "gpu: k.comp:2: include: "},
		{"missing in part", "#include \"a.glsl\"", "x\ny\n#include \"gone.glsl\"", "gpu: a.glsl:3: include: "},
		{"malformed", "x\n#include <a.glsl>", "", `gpu: k.comp:2: malformed include "#include <a.glsl>"`},
		{"trailing words", "#include \"a.glsl\" // why", "", `gpu: k.comp:1: malformed include`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := compose(files(map[string]string{"k.comp": tc.kernel, "a.glsl": tc.part}), "k.comp", [3]int{1, 1, 1}, nil)
			require.ErrorContains(t, err, tc.want)
		})
	}
	_, err := compose(files(nil), "k.comp", [3]int{1, 1, 1}, nil)
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestLocateDriverLogs(t *testing.T) {
	s := source{lines: []location{{"(version)", 1}, {"a.comp", 7}, {"b.glsl", 12}}}
	for _, tc := range []struct{ name, log, want string }{
		{"Mesa", "0:2(5): error: `x' undeclared", "a.comp:7(5): error: `x' undeclared"},
		{"NVIDIA", "0(3) : error C1503: undefined variable \"x\"", "b.glsl:12 : error C1503: undefined variable \"x\""},
		{"AMD", "ERROR: 0:3: 'x' : undeclared identifier", "ERROR: b.glsl:12: 'x' : undeclared identifier"},
		{"several", "0:2(1): error\n0:3(1): error\n", "a.comp:7(1): error\nb.glsl:12(1): error\n"},
		{"unknown line", "0:99(5): error", "0:99(5): error"},
		{"line 0", "0:0(0): error", "0:0(0): error"},
		{"no line", "link error: too many uniforms", "link error: too many uniforms"},
		{"number that only ends in 0", "10:2 of 100(3)", "10:2 of 100(3)"},
	} {
		t.Run(tc.name, func(t *testing.T) { require.Equal(t, tc.want, s.locate(tc.log)) })
	}
}
