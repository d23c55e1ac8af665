package bench

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

func parsed(t testing.TB, text string) Spec {
	t.Helper()
	s, err := ParseSpec(text)
	require.NoError(t, err)
	return s
}

func TestParseSpec(t *testing.T) {
	for text, want := range map[string]string{
		"hq=2,lq=3,lk=4,d=5": "b1 hq2 hkv2 lq3 lk4 d5 dv5 f32/f32/f32/f32",
		"h=2,l=3,d=5":        "b1 hq2 hkv2 lq3 lk3 d5 dv5 f32/f32/f32/f32",
		" d = 5 , l=3,h=2 ":  "b1 hq2 hkv2 lq3 lk3 d5 dv5 f32/f32/f32/f32",
		"b=1,hq=1,hkv=1,lq=1,lk=64,d=40,dv=40,dtype=f32,kv=q8_0,causal=off,window=-1:-1":              "b1 hq1 hkv1 lq1 lk64 d40 dv40 f32/q8_0/q8_0/f32",
		"b=1,hq=32,hkv=8,lq=1,lk=4096,d=128,dv=128,dtype=f32,kv=f16,causal=bottom-right,window=-1:-1": "b1 hq32 hkv8 lq1 lk4096 d128 dv128 f32/f16/f16/f32 causal=bottom-right",
		"h=2,l=3,d=5,dv=7,dtype=bf16,o=f32":                                                           "b1 hq2 hkv2 lq3 lk3 d5 dv7 bf16/bf16/bf16/f32",
		"h=1,l=3,d=5,window=2:0":                                                                      "b1 hq1 hkv1 lq3 lk3 d5 dv5 f32/f32/f32/f32 window=2:0@bottom-right",
		"h=1,l=3,d=5,window=2:-1,align=top-left":                                                      "b1 hq1 hkv1 lq3 lk3 d5 dv5 f32/f32/f32/f32 window=2:-1@top-left",
		"h=1,l=3,d=5,window=0:0,causal=top-left":                                                      "b1 hq1 hkv1 lq3 lk3 d5 dv5 f32/f32/f32/f32 causal=top-left window=0:0@top-left",
		"h=1,l=3,d=5,causal=per-batch,offset=-4":                                                      "b1 hq1 hkv1 lq3 lk3 d5 dv5 f32/f32/f32/f32 causal=per-batch",
		"h=1,l=3,d=5,scale=-0.5,softcap=30,bias=f16,mask=true,lse=true,causal=off":                    "b1 hq1 hkv1 lq3 lk3 d5 dv5 f32/f32/f32/f32 scale=-0.5 softcap=30 bias=f16 mask lse",
		"h=1,l=3,d=5,scale=0,softcap=0,bias=none,mask=false,lse=false":                                "b1 hq1 hkv1 lq3 lk3 d5 dv5 f32/f32/f32/f32",
	} {
		t.Run(text, func(t *testing.T) {
			s := parsed(t, text)
			require.Equal(t, want, s.Problem.String())
			again := parsed(t, s.String())
			require.Equal(t, s, again, "what String writes is read back")
			call, err := attention.NewCall(s.Problem.Options, s.inputs(1), s.outputs())
			if s.Problem.KeyLen < 100 {
				require.NoError(t, err)
				require.Equal(t, s.Problem, call.Problem, "the call is the one described")
			}
		})
	}
	require.Equal(t, -4, parsed(t, "h=1,l=3,d=5,causal=per-batch,offset=-4").inputs(1).Offsets[0])
}

func TestParseSpecRefuses(t *testing.T) {
	const rest = ",h=2,l=4,d=8"
	for _, c := range []struct{ text, key, value, why string }{
		{"", "", "", "keys are b, hq"},
		{"h", "", "h", "not key=value"},
		{"b=" + rest, "", "b=", "not key=value"},
		{",h=2", "", "", "not key=value"},
		{"x=1" + rest, "x", "1", "unknown key; keys are b, hq"},
		{"b=1,b=1" + rest, "b", "1", "given beside b=1"},
		{"hq=1" + rest, "h", "2", "given beside hq=1"},
		{"h=1,hkv=1,l=4,d=8", "hkv", "1", "given beside h=1"},
		{"lk=3" + rest, "l", "4", "given beside lk=3"},
		{"b=0" + rest, "b", "0", "1 to 65536"},
		{"b=-1" + rest, "b", "-1", "1 to 65536"},
		{"b=1e3" + rest, "b", "1e3", "1 to 65536"},
		{"b=99999999999999999999" + rest, "b", "99999999999999999999", "1 to 65536"},
		{"h=1,l=1,d=577", "d", "577", "1 to 576"},
		{"dv=0" + rest, "dv", "0", "1 to 576"},
		{"h=1,d=1,l=536870913", "l", "536870913", "1 to 536870912"},
		{"dtype=f64" + rest, "dtype", "f64", "f32, f16 or bf16"},
		{"kv=bool" + rest, "kv", "bool", "f32, f16, bf16 or q8_0"},
		{"dtype=q8_0" + rest, "dtype", "q8_0", "f32, f16 or bf16"},
		{"causal=true" + rest, "causal", "true", "off, top-left, bottom-right or per-batch"},
		{"window=3" + rest, "window", "3", "LEFT:RIGHT"},
		{"window=-2:0" + rest, "window", "-2:0", "LEFT:RIGHT"},
		{"window=1:2:3" + rest, "window", "1:2:3", "LEFT:RIGHT"},
		{"align=off,window=1:1" + rest, "align", "off", "top-left"},
		{"align=top-left" + rest, "align", "top-left", "no window"},
		{"align=top-left,causal=bottom-right,window=1:1" + rest, "align", "top-left", "bottom-right"},
		{"offset=1" + rest, "offset", "1", "per-batch"},
		{"scale=nan" + rest, "scale", "nan", "finite"},
		{"scale=inf" + rest, "scale", "inf", "finite"},
		{"softcap=-1" + rest, "softcap", "-1", "0 (off) or more"},
		{"bias=bool" + rest, "bias", "bool", "none, f32"},
		{"lse=1" + rest, "lse", "1", "true or false"},
		{"hq=3,hkv=2,l=4,d=8", "hkv", "2", "divisor of hq=3"},
		{"l=4,d=8", "hq", "", "is missing"},
		{"h=1,lq=4,d=8", "lk", "", "is missing"},
		{"h=1,l=4", "d", "", "is missing"},
		{"b=65536,h=65536,l=536870912,d=576", "", "", "Q has"},
	} {
		t.Run(c.text, func(t *testing.T) {
			_, err := ParseSpec(c.text)
			require.ErrorIs(t, err, attention.ErrInvalid)
			var typed *SpecError
			require.ErrorAs(t, err, &typed)
			require.Equal(t, c.key, typed.Key)
			if c.value != "" {
				require.Equal(t, c.value, typed.Value)
				require.ErrorContains(t, err, c.value)
			}
			require.Contains(t, typed.Why, c.why)
			require.ErrorContains(t, err, c.key)
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

func FuzzParseSpec(f *testing.F) {
	f.Add("b=1,hq=32,hkv=8,lq=1,lk=4096,d=128,dv=128,dtype=f32,kv=f16,causal=bottom-right,window=-1:-1")
	f.Add("h=1,l=3,d=5,scale=-0.5,softcap=30,bias=f16,mask=true,lse=true,window=2:-1,align=per-batch,offset=7")
	f.Add("h=1,l=3,d=5,scale=1e-45")
	f.Add(",=,")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSpec(text)
		if err != nil {
			require.ErrorIs(t, err, attention.ErrInvalid)
			return
		}
		require.NoError(t, s.Problem.Validate())
		require.Equal(t, s, parsed(t, s.String()))
		require.Positive(t, s.Problem.Bytes())
	})
}

func TestSpecKeysAreKnown(t *testing.T) {
	for _, k := range SpecKeys() {
		require.NotEmpty(t, k.Meaning, k.Name)
		require.NotEmpty(t, k.Want, k.Name)
		_, err := ParseSpec(k.Name + "=?")
		require.ErrorContains(t, err, k.Want, k.Name)
	}
}

func TestFLOPs(t *testing.T) {
	for _, c := range []struct {
		text             string
		exact, customary float64
	}{
		{"h=3,l=4,d=8", 2 * 16 * 3 * 16, 4 * 3 * 4 * 4 * 8},
		{"b=2,h=3,lq=4,lk=5,d=8,dv=2", 2 * 10 * 2 * 3 * 20, 2 * 10 * 2 * 3 * 20},
		{"h=1,l=4,d=8,causal=top-left", 2 * 16 * 10, 4 * 4 * 4 * 8 / 2},
		{"h=1,lq=2,lk=5,d=8,causal=bottom-right", 2 * 16 * 9, 4 * 2 * 5 * 8 / 2},
		{"h=1,lq=2,lk=5,d=8,causal=top-left", 2 * 16 * 3, 4 * 2 * 5 * 8 / 2},
		{"h=1,lq=2,lk=5,d=8,causal=per-batch,offset=1", 2 * 16 * 5, 4 * 2 * 5 * 8 / 2},
		{"h=1,l=5,d=8,window=1:0", 2 * 16 * 9, 4 * 5 * 5 * 8},
		{"hq=32,hkv=8,lq=1,lk=4096,d=128", 4 * 32 * 4096 * 128, 4 * 32 * 4096 * 128},
	} {
		t.Run(c.text, func(t *testing.T) {
			s := parsed(t, c.text)
			exact, customary := s.FLOPs()
			require.Equal(t, c.exact, exact)
			require.Equal(t, c.customary, customary)
			if s.Problem.KeyLen < 100 {
				call, err := attention.NewCall(s.Problem.Options, s.inputs(1), s.outputs())
				require.NoError(t, err)
				require.Equal(t, float64(call.Problem.FLOPs(call.Pairs())), exact)
			}
		})
	}
}

func TestWorkloads(t *testing.T) {
	want := map[string]struct {
		spec  string
		bound string
		gflop float64
	}{
		"P1": {"b=1,h=8,l=1024,d=64", RoofFMA, 2.147}, "P2": {"b=1,h=8,l=1024,d=64,causal=top-left", RoofFMA, 1.075},
		"P3": {"b=1,h=8,l=4096,d=128,causal=top-left", RoofFMA, 34.37}, "P4": {"b=4,h=16,l=512,d=64", RoofFMA, 4.295},
		"D1": {"hq=32,hkv=8,lq=1,lk=4096,d=128", RoofRead, 0.0671}, "D2": {"b=8,hq=32,hkv=8,lq=1,lk=4096,d=128", RoofRead, 0.537},
		"D3": {"h=32,lq=1,lk=16384,d=128", RoofRead, 0.2684}, "t5-cross": {"h=12,lq=64,lk=512,d=64,scale=1", RoofFMA, 0.1007},
	}
	seen := map[string]bool{}
	for _, w := range Workloads() {
		require.False(t, seen[w.Name], w.Name)
		seen[w.Name] = true
		require.NoError(t, w.Problem.Validate(), w.Name)
		require.NotZero(t, w.Problem.Heads, "the table's text of %s does not parse", w.Name)
		require.NotEmpty(t, w.What)
		if c, ok := want[w.Name]; ok {
			s := parsed(t, c.spec)
			require.Equal(t, s.Problem, w.Problem, w.Name)
			require.Equal(t, c.bound, w.Bound(), w.Name)
			flops, _ := w.FLOPs()
			require.InEpsilon(t, c.gflop, flops/1e9, 1e-3, w.Name)
		}
	}
	for name := range want {
		require.True(t, seen[name], name)
	}
	require.Len(t, ModelShapes(), 5)
	list, err := SelectWorkloads("d1, P1,decode,p1")
	require.NoError(t, err)
	var names []string
	for _, s := range list {
		names = append(names, s.Title())
	}
	require.Equal(t, "D1 P1 D1-f16 D2 D2-f16 D3 D3-f16", strings.Join(names, " "))
	_, err = SelectWorkloads("P1,P9")
	require.ErrorIs(t, err, attention.ErrInvalid)
	require.ErrorContains(t, err, `"P9" (known: all, prefill`)
}
