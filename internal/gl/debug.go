package gl

import "fmt"

// DebugMessage is what a driver says through KHR_debug.
type DebugMessage struct {
	Source, Type, Severity string // OpenGL's words: "api", "error", "high"
	ID                     uint32 // the driver's own number
	Text                   string
}

func (m DebugMessage) String() string {
	return fmt.Sprintf("%s %s (%s) %d: %s", m.Source, m.Type, m.Severity, m.ID, m.Text)
}

var (
	debugSources    = []string{"api", "window system", "shader compiler", "third party", "application", "other"}
	debugTypes      = []string{"error", "deprecated behaviour", "undefined behaviour", "portability", "performance", "other"}
	debugSeverities = []string{"high", "medium", "low"}
)

// EnableDebug calls the handler for each message of the driver, during the GL
// call that causes it and on its thread. The handler must not call OpenGL.
// Contexts that were not made for debugging may have little to say. A later call
// replaces the handler.
func (c *Context) EnableDebug(handler func(DebugMessage)) error {
	const op = "EnableDebug"
	if c.fn.setDebugHandler == nil {
		return fmt.Errorf("%w: debug messages", ErrUnsupported)
	}
	free := c.fn.setDebugHandler(func(source, kind, id, severity uint32, text string) {
		handler(DebugMessage{
			Source:   word(debugSources, source-debugSourceAPI, source),
			Type:     word(debugTypes, kind-debugTypeError, kind),
			Severity: severityWord(severity),
			ID:       id, Text: text,
		})
	})
	c.freeHandlers()
	c.handlers = append(c.handlers, free)
	c.fn.enable(debugOutput)
	c.fn.enable(debugOutputSynchronous)
	// Low severity is off by default, and is where compilers speak of spilled
	// registers.
	c.fn.debugMessageControl(dontCare, dontCare, dontCare, 0, nil, true)
	return c.Check(op)
}

// DisableDebug removes the handler.
func (c *Context) DisableDebug() {
	if len(c.handlers) == 0 {
		return
	}
	c.fn.setDebugHandler(nil)
	c.fn.disable(debugOutput)
	c.freeHandlers()
}

func (c *Context) freeHandlers() {
	for _, free := range c.handlers {
		free()
	}
	c.handlers = nil
}

func word(list []string, i, code uint32) string {
	if i < uint32(len(list)) {
		return list[i]
	}
	return fmt.Sprintf("0x%04X", code)
}

func severityWord(code uint32) string {
	if code == debugSeverityNotification {
		return "notification"
	}
	return word(debugSeverities, code-debugSeverityHigh, code)
}

// LabelBuffer gives a buffer a name for debuggers and for the driver's messages.
func (c *Context) LabelBuffer(b Buffer, name string) { c.label(labelBuffer, uint32(b), name) }

// LabelProgram gives a program a name for debuggers and for the driver's messages.
func (c *Context) LabelProgram(p Program, name string) { c.label(labelProgram, uint32(p), name) }

// label cuts a name that is too long for the driver, rather than fail for it.
func (c *Context) label(kind, object uint32, name string) {
	if object == 0 || name == "" || c.info.Limits.MaxLabel < 2 {
		return
	}
	text := []byte(name)
	text = text[:min(len(text), c.info.Limits.MaxLabel-1)]
	c.fn.objectLabel(kind, object, int32(len(text)), &text[0])
}
