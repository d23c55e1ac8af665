package gpu

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func composeText(t *testing.T, text string, defines map[string]string) (source, error) {
	t.Helper()
	return compose(files(map[string]string{"k.comp": text}), "k.comp", [3]int{1, 1, 1}, defines)
}

func TestUnroll(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       []string // without indentation
	}{
		{"one statement", "UNROLL for (int r = 0; r < 2; r++) a[r] = 0.0;", []string{"{ const int r = 0;", "a[r] = 0.0;", "}", "{ const int r = 1;", "a[r] = 0.0;", "}"}},
		{"a define", "UNROLL for (int r = 0; r < N; r++) f(r);", []string{"{ const int r = 0;", "f(r);", "}", "{ const int r = 1;", "f(r);", "}"}},
		{"a block", "UNROLL for (int r = 0; r < 1; r++) {\nf(r);\n}\ng();", []string{"{ const int r = 0;", "{", "f(r);", "}", "}", "g();"}},
		{"nested", "UNROLL for (int r = 0; r < 1; r++)\nUNROLL for (int c = 0; c < 2; c++) f(r, c);\ng();",
			[]string{"{ const int r = 0;", "", "{ const int c = 0;", "f(r, c);", "}", "{ const int c = 1;", "f(r, c);", "}", "}", "g();"}},
		{"a condition", "UNROLL for (int r = 0; r < 1; r++)\nif (x[r]) f(r);\nelse g(r);\nh();", []string{"{ const int r = 0;", "", "if (x[r]) f(r);", "else g(r);", "}", "h();"}},
		{"never", "UNROLL for (int r = 0; r < 0; r++) f(r);\ng();", []string{"g();"}},
		{"a plain loop", "for (int r = 0; r < 2; r++) f(r);", []string{"for (int r = 0; r < 2; r++) f(r);"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := composeText(t, tc.text, map[string]string{"N": "2"})
			require.NoError(t, err)
			lines := strings.Split(strings.TrimSuffix(s.text, "\n"), "\n")
			require.Len(t, s.lines, len(lines), "each line knows where it came from")
			var got []string
			for _, line := range lines[3:] { // after the version, the size and the define
				got = append(got, strings.TrimSpace(line))
			}
			require.Equal(t, tc.want, got)
		})
	}
}

func TestUnrollErrors(t *testing.T) {
	for text, want := range map[string]string{
		"\nUNROLL for (int r = 0; r < M; r++) f(r);":                                      "k.comp:2: the number of iterations M is not a define",
		"UNROLL for (int r = 1; r < 2; r++) f(r);":                                        "k.comp:1: malformed unrolled loop",
		"UNROLL for (int r = 0; q < 2; r++) f(r);":                                        "k.comp:1: malformed unrolled loop",
		"UNROLL for (int r = 0; r < 2; r++) {\nf(r);":                                     "k.comp:1: the unrolled loop has no end",
		"UNROLL for (int r = 0; r < 2; r++) if (x) continue;":                             "cannot hold break or continue",
		"UNROLL for (int r = 0; r < 2; r++) {\nif (x) break;\n}":                          "cannot hold break or continue",
		"if (x)\nUNROLL for (int r = 0; r < 2; r++) f(r);":                                `k.comp:2: an unrolled loop after "if (x)"`,
		"if (x) f();\nelse\nUNROLL for (int r = 0; r < 2; r++) f(r);":                     `k.comp:3: an unrolled loop after "else"`,
		"for (int i = 0; i < (3); i++) // each\nUNROLL for (int r = 0; r < 2; r++) f(r);": "k.comp:2: an unrolled loop after",
	} {
		_, err := composeText(t, text, nil)
		require.ErrorContains(t, err, want, text)
	}
}

// TestUnrolledLinesKeepTheirPlace: a driver's message about any iteration names
// the line of the loop's body.
func TestUnrolledLinesKeepTheirPlace(t *testing.T) {
	s, err := composeText(t, "UNROLL for (int r = 0; r < 2; r++) {\n\tf(r);\n}\ng();", nil)
	require.NoError(t, err)
	for n, line := range strings.Split(strings.TrimSuffix(s.text, "\n"), "\n") {
		switch strings.TrimSpace(line) {
		case "f(r);":
			require.Equal(t, location{"k.comp", 2}, s.lines[n])
		case "g();":
			require.Equal(t, location{"k.comp", 4}, s.lines[n])
		}
	}
}
