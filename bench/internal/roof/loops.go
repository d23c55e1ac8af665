package roof

// loops is one way to run the two measured loops.
type loops struct {
	name  string
	lanes int // numbers that fma advances side by side
	fma   func(loops int, a, b float32, out []float32)
	width int // partial sums that sum yields
	sum   func(data []float32, out []float32)
}

// Both loops' units: how often fma advances each lane per loop, and the numbers
// that the data of sum is a multiple of.
const (
	fmaSteps = 8
	sumBlock = 128
)

// portable is the twin of the assembly, and what is measured where there is none.
var portable = loops{name: "portable Go", lanes: 8, fma: fmaGo8, width: 8, sum: sumGo8}

// fmaGo advances each number of out by
//
//	x = a·x + b
//
// loops·fmaSteps times.
func fmaGo(loops int, a, b float32, out []float32) {
	for n, x := range out {
		for range loops * fmaSteps {
			x = a*x + b
		}
		out[n] = x
	}
}

// fmaGo8 is fmaGo for 8 numbers, which it keeps in registers side by side, so
// that their chains of dependent steps overlap.
func fmaGo8(loops int, a, b float32, out []float32) {
	s := (*[8]float32)(out)
	x0, x1, x2, x3, x4, x5, x6, x7 := s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]
	for range loops * fmaSteps {
		x0, x1, x2, x3 = a*x0+b, a*x1+b, a*x2+b, a*x3+b
		x4, x5, x6, x7 = a*x4+b, a*x5+b, a*x6+b, a*x7+b
	}
	*s = [8]float32{x0, x1, x2, x3, x4, x5, x6, x7}
}

// sumGo8 is sum in 8 partial sums, over four parts of data read side by side. The
// partial sums of all variants differ; their total is the sum of data.
func sumGo8(data []float32, out []float32) {
	quarter := len(data) / 4
	p0, p1, p2, p3 := data[:quarter], data[quarter:2*quarter], data[2*quarter:3*quarter], data[3*quarter:4*quarter]
	var x0, x1, x2, x3, x4, x5, x6, x7 float32
	for n := 0; n+1 < len(p0) && n+1 < len(p1) && n+1 < len(p2) && n+1 < len(p3); n += 2 {
		x0, x1 = x0+p0[n], x1+p0[n+1]
		x2, x3 = x2+p1[n], x3+p1[n+1]
		x4, x5 = x4+p2[n], x5+p2[n+1]
		x6, x7 = x6+p3[n], x7+p3[n+1]
	}
	copy(out, []float32{x0, x1, x2, x3, x4, x5, x6, x7})
}
