//go:build !amd64 && !arm64

package kernel

// sets lists what there is for this architecture.
func sets() []*Set { return []*Set{&portable} }
