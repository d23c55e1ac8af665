package attention_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/glattn/attention"

// mayImport says, for each folder of the module, which other folders its
// packages may import. All may import the root package, which imports none; the
// folder internal/ may be imported by all but may itself import only the root.
// A new folder needs an entry.
var mayImport = map[string][]string{
	"":         {},
	"internal": {},
	"cpu":      {},
	"gpu":      {},
	"verify":   {"cpu"},
	"dispatch": {"cpu", "gpu", "verify"},
	"bench":    {"cpu", "gpu", "verify", "dispatch"},
	"cmd":      {"cpu", "gpu", "verify", "dispatch", "bench"},
	"examples": {"cpu", "gpu", "verify", "dispatch"},
	"tools":    {"cpu", "gpu", "verify", "dispatch", "bench"},
}

// goPackage is what go list tells of a package, as far as it is used here.
type goPackage struct {
	ImportPath string
	Dir        string
	Imports    []string
	Deps       []string
	Standard   bool
	Module     *struct{ Path string }
}

// packages lists the module's packages and all that they depend on.
func packages(t *testing.T, arguments ...string) []goPackage {
	t.Helper()
	command := exec.Command("go", append([]string{"list", "-e", "-deps", "-json=ImportPath,Dir,Imports,Deps,Standard,Module"}, append(arguments, "./...")...)...)
	output, err := command.Output()
	require.NoError(t, err)
	var list []goPackage
	for decoder := json.NewDecoder(strings.NewReader(string(output))); ; {
		var p goPackage
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return list
		}
		require.NoError(t, err)
		list = append(list, p)
	}
}

// own returns the module's own packages.
func own(list []goPackage) []goPackage {
	return slices.DeleteFunc(slices.Clone(list), func(p goPackage) bool { _, ok := inside(p.ImportPath); return !ok })
}

// inside returns the path of a package within the module.
func inside(path string) (string, bool) {
	if path == module {
		return "", true
	}
	return strings.CutPrefix(path, module+"/")
}

// folder returns the first element of a path within the module. The commands
// that serve the project itself are commands, though users may not import them.
func folder(path string) string {
	if strings.HasPrefix(path, "internal/cmd/") {
		return "cmd"
	}
	first, _, _ := strings.Cut(path, "/")
	return first
}

// sources parses every file of a package that is not a test, whatever its build
// constraints.
func sources(t *testing.T, p goPackage, mode parser.Mode) map[string]*ast.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(p.Dir, "*.go"))
	require.NoError(t, err)
	files := map[string]*ast.File{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, mode|parser.SkipObjectResolution)
		require.NoError(t, err)
		files[filepath.Base(name)] = file
	}
	return files
}

func imports(file *ast.File) []string {
	var list []string
	for _, spec := range file.Imports {
		if path, err := strconv.Unquote(spec.Path.Value); err == nil {
			list = append(list, path)
		}
	}
	return list
}

func TestImportDirections(t *testing.T) {
	list := own(packages(t))
	require.NotEmpty(t, list)
	for _, p := range list {
		from, _ := inside(p.ImportPath)
		allowed, known := mayImport[folder(from)]
		require.True(t, known, "folder %q is new: say in mayImport what it may import", folder(from))
		for name, file := range sources(t, p, parser.ImportsOnly) {
			for _, path := range imports(file) {
				to, ok := inside(path)
				if !ok || to == "" && from != "" {
					continue
				}
				to = folder(to)
				if from != "" && (to == folder(from) || to == "internal") {
					continue
				}
				require.Contains(t, allowed, to, "%s: %s imports %s", from, name, path)
			}
		}
	}
}

// TestDependencies checks what is linked in the end, under each build that ships.
func TestDependencies(t *testing.T) {
	for name, arguments := range map[string][]string{"default": nil, "nogpu": {"-tags", "nogpu"}} {
		t.Run(name, func(t *testing.T) {
			for _, p := range own(packages(t, arguments...)) {
				at, _ := inside(p.ImportPath)
				has := func(path string) bool {
					return slices.ContainsFunc(p.Deps, func(dep string) bool { return dep == path || strings.HasPrefix(dep, path+"/") })
				}
				switch folder(at) {
				case "", "cpu", "verify":
					require.False(t, has("github.com/go-gl"), "%s must not need OpenGL", p.ImportPath)
				case "gpu", "dispatch":
					if at != glfwFolder {
						require.False(t, has("github.com/go-gl/glfw"), "%s must not need GLFW, which links libX11", p.ImportPath)
					}
				}
				if name == "nogpu" && folder(at) != "cmd" {
					require.False(t, has("github.com/go-gl"), "%s must do without OpenGL under nogpu", p.ImportPath)
				}
			}
		})
	}
}

// glfwFolder holds the only package that opens windows, apart from the library.
const glfwFolder = "gpu/glfw"

// TestOnlyOne checks the packages that are to be the only ones to import
// something, over all build constraints.
func TestOnlyOne(t *testing.T) {
	list := own(packages(t))
	for _, rule := range []struct {
		imported string
		by       []string
	}{
		{"github.com/go-gl/gl", []string{"internal/gl"}},
		{"github.com/go-gl/glfw", []string{glfwFolder}},
		{"testing", []string{"verify/verifytest"}},
		{"github.com/stretchr/testify", []string{"verify/verifytest"}},
	} {
		for _, p := range list {
			at, _ := inside(p.ImportPath)
			if slices.Contains(rule.by, at) {
				continue
			}
			for name, file := range sources(t, p, parser.ImportsOnly) {
				for _, path := range imports(file) {
					require.False(t, path == rule.imported || strings.HasPrefix(path, rule.imported+"/"),
						"%s/%s imports %s, which only %v may", at, name, path, rule.by)
				}
			}
		}
	}
}

// TestOnlyOneReadsTheEnvironment looks for calls of the os functions that read
// environment variables.
func TestOnlyOneReadsTheEnvironment(t *testing.T) {
	readers := []string{"Getenv", "LookupEnv", "Environ", "ExpandEnv"}
	found := false
	for _, p := range own(packages(t)) {
		at, _ := inside(p.ImportPath)
		for name, file := range sources(t, p, 0) {
			ast.Inspect(file, func(node ast.Node) bool {
				selector, ok := node.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if of, ok := selector.X.(*ast.Ident); ok && of.Name == "os" && slices.Contains(readers, selector.Sel.Name) {
					require.Equal(t, "internal/env", at, "%s/%s calls os.%s", at, name, selector.Sel.Name)
					found = true
				}
				return true
			})
		}
	}
	require.True(t, found, "internal/env reads the environment; this test must see it")
}
