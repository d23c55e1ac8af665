package main

import (
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// bar shows progress on a terminal. A nil bar does nothing.
type bar struct{ shown *progressbar.ProgressBar }

// bar returns a progress bar, nil if the remarks do not go to a terminal.
func (p *program) bar(total int) *bar {
	file, ok := p.err.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return nil
	}
	return &bar{progressbar.NewOptions(total, progressbar.OptionSetWriter(file), progressbar.OptionSetWidth(24),
		progressbar.OptionShowCount(), progressbar.OptionSetElapsedTime(true), progressbar.OptionSetPredictTime(false),
		progressbar.OptionClearOnFinish())}
}

// at shows that done steps are over and what comes next. A bar that cannot be
// drawn is nobody's error.
func (b *bar) at(done int, what string) {
	if b == nil {
		return
	}
	b.shown.Describe(what)
	_ = b.shown.Set(done)
}

// clear removes the bar.
func (b *bar) clear() {
	if b != nil {
		_ = b.shown.Clear()
	}
}
