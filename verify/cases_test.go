package verify

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

const (
	casesMin, casesMax = 250, 450
	shortMin, shortMax = 50, 90
	caseFLOPs          = 24_000_000
	shortFLOPs         = 10_000_000
)

func TestCasesAreWellFormed(t *testing.T) {
	cases := Cases()
	require.GreaterOrEqual(t, len(cases), casesMin)
	require.LessOrEqual(t, len(cases), casesMax)
	names := map[string]bool{}
	plain := regexp.MustCompile(`^[a-z0-9-]+$`)
	for _, c := range cases {
		require.Regexp(t, plain, c.Name)
		require.False(t, names[c.Name], "two cases named %s", c.Name)
		names[c.Name] = true
		require.NotEmpty(t, c.Why, c.Name)
		if !c.Long {
			require.LessOrEqual(t, c.FLOPs(), int64(caseFLOPs), c.Name)
		}
		found, ok := CaseNamed(c.Name)
		require.True(t, ok)
		require.Equal(t, c, found)
	}
	t.Logf("%d cases", len(cases))
}

func TestShortCasesAreShort(t *testing.T) {
	short := ShortCases()
	t.Logf("%d short cases", len(short))
	require.GreaterOrEqual(t, len(short), shortMin)
	require.LessOrEqual(t, len(short), shortMax)
	for _, c := range short {
		require.False(t, c.Long, c.Name)
		require.LessOrEqual(t, c.FLOPs(), int64(shortFLOPs), c.Name)
	}
}

// TestShortCasesCover asks the short list for everything there is to vary.
func TestShortCasesCover(t *testing.T) {
	var features attention.Features
	layouts, data, poisons, biases := map[Layout]bool{}, map[Data]bool{}, map[Poison]bool{}, map[BiasFill]bool{}
	var empty, decode, unequal bool
	for _, c := range ShortCases() {
		d, err := Build(c)
		require.NoError(t, err)
		features |= d.Call.Problem.Features()
		layouts[c.Layout], data[c.Fill.Data], poisons[c.Fill.Poison], biases[c.Fill.Bias] = true, true, true, true
		s := c.Shape
		empty = empty || s.QueryLen == 0
		decode = decode || s.QueryLen == 1
		unequal = unequal || s.Dim != s.ValueDim
	}
	require.Equal(t, attention.AllFeatures, features)
	require.True(t, empty && decode && unequal)
	for _, l := range []Layout{LayoutBHSD, LayoutBSHD, LayoutPacked, LayoutSubview, LayoutColumns, LayoutReversed, LayoutAbsurd, LayoutShared, LayoutRepeated, LayoutMixed, LayoutInterleave} {
		require.True(t, layouts[l], "layout %q", l)
	}
	for _, k := range []Data{Normal, Peaked, Huge, Equal, LastKey, Ascending, Integers, SharpValues} {
		require.True(t, data[k], "data %q", k)
	}
	for _, p := range []Poison{NoPoison, MaskedNaN, Masked1000, SomeNaN, OneValueNaN, InfiniteKey, QueryNaN, PaddingNaN, InfiniteBias} {
		require.True(t, poisons[p], "poison %q", p)
	}
	for _, b := range []BiasFill{BiasNormal, BiasRow40000, BiasRowInf, BiasHoles, BiasALiBi} {
		require.True(t, biases[b], "bias fill %q", b)
	}
}

func TestBuildIsReproducible(t *testing.T) {
	for _, c := range ShortCases() {
		one, err := Build(c)
		require.NoError(t, err)
		two, err := Build(c)
		require.NoError(t, err)
		require.Len(t, two.slabs, len(one.slabs))
		for n, s := range one.slabs {
			require.Equal(t, s.len(), two.slabs[n].len())
			for at := range s.len() {
				if s.bits(at) != two.slabs[n].bits(at) {
					t.Fatalf("%s: %s[%d] differs between builds", c.Name, s.name, at)
				}
			}
		}
	}
}

func TestBuildRefusesInvalid(t *testing.T) {
	_, err := Build(Case{Name: "bad", Shape: sizes(1, 3, 2, 4, 4, 8, 8)})
	require.ErrorIs(t, err, attention.ErrInvalid)
}
