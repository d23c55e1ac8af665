//go:build !amd64

package roof

// variants lists what there is for this architecture.
func variants() []loops { return []loops{portable} }
