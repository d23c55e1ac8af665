//go:build !cgo || nogpu || (!linux && !windows)

package gl

import (
	"fmt"
	"unsafe"
)

// bind fails: without a function table no Context exists, and no method of one
// can be called.
func bind(func(string) unsafe.Pointer) (*functions, func(), error) {
	return nil, nil, fmt.Errorf("%w: this build has no OpenGL (it needs cgo, Linux or Windows, and no tag nogpu)", ErrUnavailable)
}
