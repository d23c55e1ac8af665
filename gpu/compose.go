package gpu

import (
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// source is a complete shader, and for each of its lines where it came from.
type source struct {
	text  string
	lines []location // lines[0] is line 1
}

type location struct {
	file string
	line int
}

// compose builds a shader from a kernel file of files: the version, the
// workgroup size as literals (GLSL 4.30 takes nothing else there), the defines in
// order of their names, then the file with each of its includes expanded once
// and its UNROLL loops written out.
func compose(files fs.FS, kernel string, local [3]int, defines map[string]string) (source, error) {
	b := &composer{files: files, seen: map[string]bool{}}
	b.add("(version)", 1, "#version 430 core")
	b.add("(size)", 1, fmt.Sprintf("layout(local_size_x = %d, local_size_y = %d, local_size_z = %d) in;", local[0], local[1], local[2]))
	for n, name := range slices.Sorted(maps.Keys(defines)) {
		b.add("(defines)", n+1, strings.TrimRight("#define "+name+" "+defines[name], " "))
	}
	if err := b.include(kernel, location{"(kernel)", 0}); err != nil {
		return source{}, err
	}
	return unroll(source{text: b.text.String(), lines: b.lines}, defines)
}

type composer struct {
	files fs.FS
	seen  map[string]bool
	text  strings.Builder
	lines []location
}

func (b *composer) add(file string, line int, text string) {
	b.text.WriteString(text)
	b.text.WriteByte('\n')
	b.lines = append(b.lines, location{file, line})
}

var includeLine = regexp.MustCompile(`^#include "([^"]+)"$`)

func (b *composer) include(name string, from location) error {
	if b.seen[name] {
		return nil
	}
	b.seen[name] = true
	data, err := fs.ReadFile(b.files, name)
	if err != nil {
		return fmt.Errorf("gpu: %s:%d: include: %w", from.file, from.line, err)
	}
	for n, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		at := location{name, n + 1}
		if m := includeLine.FindStringSubmatch(line); m != nil {
			if err := b.include(m[1], at); err != nil {
				return err
			}
			continue
		}
		if strings.HasPrefix(line, "#include") {
			return fmt.Errorf("gpu: %s:%d: malformed include %q", at.file, at.line, line)
		}
		b.add(at.file, at.line, line)
	}
	return nil
}

// logLine matches the line numbers of driver logs: 0:12(5) (Mesa), 0(12) (NVIDIA),
// 0:12: (AMD, Intel and glslang).
var logLine = regexp.MustCompile(`\b0(?::(\d+)|\((\d+)\))`)

// locate rewrites the line numbers of a driver's log to files and lines.
func (s source) locate(log string) string {
	return logLine.ReplaceAllStringFunc(log, func(match string) string {
		m := logLine.FindStringSubmatch(match)
		n, err := strconv.Atoi(m[1] + m[2])
		if err != nil || n < 1 || n > len(s.lines) {
			return match
		}
		at := s.lines[n-1]
		return fmt.Sprintf("%s:%d", at.file, at.line)
	})
}
