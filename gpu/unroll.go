package gpu

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// unrollHead is the head of a loop that must be unrolled: the keyword alone is
// ours, the rest is GLSL, so that editors and readers see a plain loop.
var unrollHead = regexp.MustCompile(`^(\s*)UNROLL for \(int (\w+) = 0; (\w+) < (\w+); (\w+)\+\+\)`)

// bare matches a condition or plain loop whose braces are left out.
var bare = regexp.MustCompile(`^\s*(?:\}?\s*else|(?:\}?\s*else\s+)?(?:if|for|while) \(.*\))\s*(?://.*)?$`)

// unroll writes out the loops marked UNROLL. Arrays in registers may only be
// indexed by constants; compilers that leave such a loop a loop put the array into
// memory, which costs an order of magnitude, and GLSL has no way to ask them. Each
// iteration becomes a block that begins with its index as a constant.
func unroll(s source, defines map[string]string) (source, error) {
	lines := strings.Split(strings.TrimSuffix(s.text, "\n"), "\n")
	u := &unroller{defines: defines}
	if err := u.expand(lines, s.lines); err != nil {
		return source{}, err
	}
	return source{text: u.text.String(), lines: u.lines}, nil
}

type unroller struct {
	defines map[string]string
	text    strings.Builder
	lines   []location
}

func (u *unroller) add(text string, at location) {
	u.text.WriteString(text)
	u.text.WriteByte('\n')
	u.lines = append(u.lines, at)
}

func (u *unroller) expand(lines []string, at []location) error {
	for n := 0; n < len(lines); n++ {
		if !strings.HasPrefix(strings.TrimSpace(lines[n]), "UNROLL") {
			u.add(lines[n], at[n])
			continue
		}
		head := unrollHead.FindStringSubmatch(lines[n])
		if n > 0 && bare.MatchString(lines[n-1]) {
			return fmt.Errorf("gpu: %s:%d: an unrolled loop after %q, which would govern its first iteration alone", at[n].file, at[n].line, strings.TrimSpace(lines[n-1]))
		}
		if head == nil || head[2] != head[3] || head[2] != head[5] {
			return fmt.Errorf("gpu: %s:%d: malformed unrolled loop %q", at[n].file, at[n].line, lines[n])
		}
		count, err := strconv.Atoi(head[4])
		if err != nil {
			if count, err = strconv.Atoi(u.defines[head[4]]); err != nil {
				return fmt.Errorf("gpu: %s:%d: the number of iterations %s is not a define", at[n].file, at[n].line, head[4])
			}
		}
		body := append([]string{lines[n][len(head[0]):]}, lines[n+1:]...)
		text := strings.Join(body, "\n")
		length, ok := statement(text)
		if !ok {
			return fmt.Errorf("gpu: %s:%d: the unrolled loop has no end", at[n].file, at[n].line)
		}
		governed := text[:length]
		if rest, _, _ := strings.Cut(text[length:], "\n"); skipSpace(rest, 0) != len(rest) {
			return fmt.Errorf("gpu: %s:%d: %q follows an unrolled loop on its last line", at[n].file, at[n].line, strings.TrimSpace(rest))
		}
		if strings.Contains(governed, "continue;") || strings.Contains(governed, "break;") {
			return fmt.Errorf("gpu: %s:%d: an unrolled loop cannot hold break or continue", at[n].file, at[n].line)
		}
		last := strings.Count(governed, "\n")
		for i := range count {
			u.add(fmt.Sprintf("%s{ const int %s = %d;", head[1], head[2], i), at[n])
			if err := u.expand(body[:last+1], at[n:n+last+1]); err != nil {
				return err
			}
			u.add(head[1]+"}", at[n])
		}
		n += last
	}
	return nil
}

// statement returns the length of the GLSL statement at the start of text: a
// block, a loop or condition with what it governs, or all up to a semicolon.
func statement(text string) (length int, ok bool) {
	at := skipSpace(text, 0)
	switch {
	case at == len(text):
		return 0, false
	case text[at] == '{':
		return balanced(text, at, '{', '}')
	case strings.HasPrefix(text[at:], "UNROLL "):
		at += len("UNROLL ")
	}
	for _, keyword := range []string{"for", "if", "while"} {
		if !strings.HasPrefix(text[at:], keyword+" (") {
			continue
		}
		end, ok := balanced(text, at+len(keyword)+1, '(', ')')
		if !ok {
			return 0, false
		}
		n, ok := statement(text[end:])
		if !ok {
			return 0, false
		}
		end += n
		if rest := skipSpace(text, end); keyword == "if" && strings.HasPrefix(text[rest:], "else") {
			n, ok = statement(text[rest+len("else"):])
			end = rest + len("else") + n
		}
		return end, ok
	}
	end := strings.IndexByte(text[at:], ';')
	return at + end + 1, end >= 0
}

// balanced returns the position after the bracket that closes the one at position at.
func balanced(text string, at int, opening, closing byte) (end int, ok bool) {
	depth := 0
	for ; at < len(text); at++ {
		switch {
		case strings.HasPrefix(text[at:], "//"):
			if at = skipLine(text, at); at == len(text) {
				return 0, false
			}
		case text[at] == opening:
			depth++
		case text[at] == closing:
			if depth--; depth == 0 {
				return at + 1, true
			}
		}
	}
	return 0, false
}

// skipSpace skips white space and comments.
func skipSpace(text string, at int) int {
	for at < len(text) {
		switch {
		case strings.HasPrefix(text[at:], "//"):
			at = skipLine(text, at)
		case strings.IndexByte(" \t\n", text[at]) >= 0:
			at++
		default:
			return at
		}
	}
	return at
}

func skipLine(text string, at int) int {
	if n := strings.IndexByte(text[at:], '\n'); n >= 0 {
		return at + n
	}
	return len(text)
}
