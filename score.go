package attention

import "math"

// EffectiveScale returns the factor of q·k: Options.Scale, or 1/√D if that is 0.
func (p Problem) EffectiveScale() float64 {
	if p.Scale != 0 {
		return float64(p.Scale)
	}
	return 1 / math.Sqrt(float64(p.Dim))
}

// Score turns the dot product qk of query i and key j, for batch entry b and query
// head h, into the score that enters the softmax:
//
//	s = scale · qk
//	s = softcap · tanh(s/softcap)   if softcap > 0
//	s = s + bias[b,h,i,j]           if there is a bias
//
// A score of −Inf, which a bias of −Inf gives, counts as masked. Its twin is
// gpu/shaders/score.glsl.
func (c *Call) Score(b, h, i, j int, qk float64) float64 {
	if !c.In.Bias.Present() {
		return c.Problem.score(qk, 0)
	}
	return c.Problem.score(qk, c.In.Bias.At(b, h, i, j))
}

func (p Problem) score(qk, bias float64) float64 {
	s := p.EffectiveScale() * qk
	if p.Softcap > 0 {
		s = float64(p.Softcap) * math.Tanh(s/float64(p.Softcap))
	}
	if math.IsInf(bias, -1) {
		return bias // masked, whatever a NaN or Inf key made of s
	}
	return s + bias
}
