package bench

import (
	"fmt"
	"image/color"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/palette"
	"gonum.org/v1/plot/palette/moreland"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/glattn/attention"
)

// heatmapFormats are the formats that WriteHeatmap knows.
var heatmapFormats = []string{"png", "svg"}

// HeatmapFormat returns the format that the name of a file asks for, png or svg.
// The error is an [attention.ErrInvalid].
func HeatmapFormat(path string) (string, error) {
	format := strings.ToLower(strings.TrimPrefix(filepath.Ext(path), "."))
	if !slices.Contains(heatmapFormats, format) {
		return "", fmt.Errorf("bench: %w: %q does not end in .png or .svg", attention.ErrInvalid, path)
	}
	return format, nil
}

// Sizes of a picture.
const (
	cellWidth  = 34 * vg.Length(1)
	cellHeight = 17 * vg.Length(1)
	besideMap  = 60 * vg.Length(1)  // for the labels of the axis on the left
	aroundMap  = 132 * vg.Length(1) // for title and labels above and below
	leastWide  = 12                 // cells, for the title
	leastHigh  = 8                  // cells, for the label of the axis
)

// WriteHeatmap draws sweeps side by side, in the format png or svg: a column for
// each length, a row for each width, and in each cell the share of the binding
// roof in percent. Cliffs have a red frame. A point without a verified time is
// left white.
func WriteHeatmap(w io.Writer, format string, results []*SweepResult) error {
	if !slices.Contains(heatmapFormats, format) || len(results) == 0 {
		return fmt.Errorf("bench: %w: a picture of %d sweeps as %q, want at least one, as png or svg", attention.ErrInvalid, len(results), format)
	}
	width, rows := vg.Length(0), leastHigh
	plots := make([]*plot.Plot, len(results))
	for n, r := range results {
		plots[n] = r.plot()
		width = max(width, besideMap+cellWidth*vg.Length(max(len(r.Lengths), leastWide)))
		rows = max(rows, len(r.Dims))
	}
	height := aroundMap + cellHeight*vg.Length(rows)
	canvas, err := draw.NewFormattedCanvas(width*vg.Length(len(plots)), height, format)
	if err != nil {
		return fmt.Errorf("bench: heat map: %w", err)
	}
	tiles := draw.Tiles{Rows: 1, Cols: len(plots), PadLeft: 6, PadRight: 12, PadTop: 6, PadBottom: 6, PadX: 24}
	for n, tile := range plot.Align([][]*plot.Plot{plots}, tiles, draw.New(canvas))[0] {
		plots[n].Draw(tile)
	}
	if _, err := canvas.WriteTo(w); err != nil {
		return fmt.Errorf("bench: heat map: %w", err)
	}
	return nil
}

// plot makes the picture of one sweep.
func (r *SweepResult) plot() *plot.Plot {
	p := plot.New()
	for style, size := range map[*text.Style]vg.Length{
		&p.Title.TextStyle: 12, &p.X.Label.TextStyle: 11, &p.Y.Label.TextStyle: 11, &p.X.Tick.Label: 10, &p.Y.Tick.Label: 10,
	} {
		style.Font = sans(size)
	}
	p.Title.Text, p.Title.Padding = r.title(), 8
	p.X.Label.Text, p.Y.Label.Text = r.lengthLabel(), "width D (elements a head)"
	p.X.Padding, p.Y.Padding = 2, 2
	p.X.Min, p.X.Max = -0.5, float64(len(r.Lengths))-0.5
	p.Y.Min, p.Y.Max = -0.5, float64(len(r.Dims))-0.5
	var columns, rows plot.ConstantTicks
	for n, length := range r.Lengths {
		columns = append(columns, plot.Tick{Value: float64(n), Label: fmt.Sprint(length)})
	}
	for n, dim := range r.Dims { // the least on top, as in the table
		rows = append(rows, plot.Tick{Value: float64(len(r.Dims) - 1 - n), Label: fmt.Sprint(dim)})
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = columns, rows
	p.Add(&heatmap{r, shareColors()})
	return p
}

func (r *SweepResult) title() string {
	text := string(r.Mode)
	if r.Causal {
		text += ", causal"
	}
	if len(r.Points) > 0 {
		one := r.Points[0].Record
		text += ", " + one.Backend
		if one.Threads > 0 {
			text += ", " + threadCount(one.Threads)
		}
		text += ", " + one.Device
	}
	return text + ":\nshare of the binding roof (%)"
}

func (r *SweepResult) lengthLabel() string {
	label := "length L (queries, and as many keys"
	if r.Mode == SweepDecode {
		label = "length L (keys of one query"
	}
	for n := 1; n < len(r.Lengths); n++ {
		if r.Lengths[n] != 2*r.Lengths[n-1] {
			return label + ")"
		}
	}
	return label + "; log2 scale)"
}

func sans(size vg.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}

// shareColors runs from dark blue over green to yellow, ever lighter.
func shareColors() palette.ColorMap {
	colors, err := moreland.NewLuminance([]color.Color{
		color.RGBA{0x1b, 0x0c, 0x42, 0xff}, color.RGBA{0x2b, 0x4b, 0x8e, 0xff}, color.RGBA{0x1f, 0x8b, 0x8c, 0xff},
		color.RGBA{0x6a, 0xc7, 0x5f, 0xff}, color.RGBA{0xfd, 0xe7, 0x25, 0xff},
	})
	if err != nil { // not of these colors
		colors = moreland.Kindlmann()
	}
	colors.SetMin(0)
	colors.SetMax(1)
	return colors
}

// heatmap draws the cells of a sweep.
type heatmap struct {
	result *SweepResult
	colors palette.ColorMap
}

// Plot implements [plot.Plotter].
func (h *heatmap) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	frame := draw.LineStyle{Color: color.RGBA{0xe0, 0x10, 0x10, 0xff}, Width: 2}
	var frames [][]vg.Point
	for n := range h.result.Points {
		point := &h.result.Points[n]
		if point.RoofShare == nil {
			continue
		}
		column, row := float64(n%len(h.result.Lengths)), float64(len(h.result.Dims)-1-n/len(h.result.Lengths))
		left, right, low, high := x(column-0.5), x(column+0.5), y(row-0.5), y(row+0.5)
		corners := []vg.Point{{X: left, Y: low}, {X: right, Y: low}, {X: right, Y: high}, {X: left, Y: high}}
		h.cell(c, corners, vg.Point{X: (left + right) / 2, Y: (low + high) / 2}, *point.RoofShare)
		if len(point.Cliffs) > 0 {
			frames = append(frames, append(corners, corners[0], corners[1]))
		}
	}
	c.StrokeLines(frame, frames...) // above all cells
}

// cell fills one cell and writes the share into it.
func (h *heatmap) cell(c draw.Canvas, corners []vg.Point, middle vg.Point, share float64) {
	fill, err := h.colors.At(min(max(share, 0), 1))
	if err != nil {
		return
	}
	c.FillPolygon(fill, corners)
	style := text.Style{Color: color.Black, Font: sans(9), XAlign: text.XCenter, YAlign: text.YCenter, Handler: plot.DefaultTextHandler}
	if share < 0.6 {
		style.Color = color.White
	}
	c.FillText(style, middle, ShareText(share))
}

// ShareText writes a share as a number of percent, with a digit behind the point
// where there is at most one before it.
func ShareText(share float64) string {
	if share < 0.0995 {
		return fmt.Sprintf("%.1f", share*100)
	}
	return fmt.Sprintf("%.0f", share*100)
}
