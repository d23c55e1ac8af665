package gl

import (
	"reflect"
	"slices"
	"sync"
	"time"
	"unsafe"
)

// Fault is a way in which a driver fails.
type Fault uint8

// The faults. Those that record a GL error leave the call without effect, as
// OpenGL demands of calls that fail.
const (
	FaultNone             Fault = iota
	FaultOutOfMemory            // any call records GL_OUT_OF_MEMORY
	FaultInvalidOperation       // any call records GL_INVALID_OPERATION
	// The context is lost at any call, and nothing has an effect from then on.
	// glGetError and the reset status both tell.
	FaultGuiltyReset
	FaultInnocentReset
	FaultUnknownReset
	// FaultSilentReset is a loss of which only the reset status tells, and only
	// once, as ARB_robustness has it; fences pass and reads leave memory as it was.
	FaultSilentReset
	FaultNoObject    // a call that returns a name, a fence or an address returns 0 and records nothing
	FaultWaitFails   // a wait for a fence fails
	FaultWaitForever // from some wait on, no fence passes
	FaultCompile     // the compiler refuses a shader, with a log
	FaultLink        // the linker refuses a program, with a log
	FaultBinary      // the driver refuses a program binary
	faultEnd
)

var faultNames = [faultEnd]string{"none", "out of memory", "invalid operation", "guilty reset", "innocent reset", "unknown reset",
	"silent reset", "no object", "wait fails", "wait forever", "compile", "link", "binary"}

// String returns the fault in words.
func (f Fault) String() string {
	if f < faultEnd {
		return faultNames[f]
	}
	return "unknown"
}

// AllFaults returns every fault but FaultNone.
func AllFaults() []Fault {
	var list []Fault
	for f := FaultNone + 1; f < faultEnd; f++ {
		list = append(list, f)
	}
	return list
}

// loses reports whether the context is of no use after the fault.
func (f Fault) loses() bool { return f >= FaultGuiltyReset && f <= FaultSilentReset }

// FaultLog is what the compiler says of a planted refusal.
const FaultLog = "0:1(1): error: planted"

// Faults is a layer between contexts and their driver, for tests: it makes one
// chosen call fail, counts calls and the objects that live. Contexts that were
// loaded without it do not pay for it. It is safe for concurrent use.
type Faults struct {
	mu      sync.Mutex
	kind    Fault
	at      int
	calls   []string // that could have failed, since Plant
	struck  string
	live    map[string]int
	skipped time.Duration // waits that were not waited for
}

// NewFaults returns a layer that plants nothing yet.
func NewFaults() *Faults { return &Faults{live: map[string]int{}} }

// Always makes every call fail that can.
const Always = -2

// Plant makes the call with number at fail, counted from 0 and from now on among
// the calls that can fail so; none does if at is -1.
func (f *Faults) Plant(kind Fault, at int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kind, f.at, f.calls, f.struck = kind, at, nil, ""
}

// Calls returns the OpenGL functions called since Plant that could have failed by
// the fault.
func (f *Faults) Calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Struck returns the OpenGL function that failed, "" if none did yet.
func (f *Faults) Struck() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.struck
}

// Live returns how many objects of each kind exist, over all contexts; those of a
// lost context exist no more.
func (f *Faults) Live() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	live := map[string]int{}
	for kind, n := range f.live {
		if n != 0 {
			live[kind] = n
		}
	}
	return live
}

// now is the clock of the contexts: planted waits pass at once, but count.
func (f *Faults) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Now().Add(f.skipped)
}

// session is the state of one context behind the layer.
type session struct {
	f        *Faults
	errors   []uint32 // recorded and not asked for
	lost     Fault    // FaultNone while the context is well
	told     bool     // the reset status was asked once since the loss
	stuck    bool     // no fence passes
	refused  bool     // the next log is FaultLog
	live     map[string]int
	binaries map[uint32]bool // programs that were made of binaries
}

// wrap returns a table whose calls pass through the layer. Reflection finds the
// functions, so that one which is added to the table is covered.
func (f *Faults) wrap(fn *functions) *functions {
	wrapped := *fn
	s := &session{f: f, live: map[string]int{}, binaries: map[uint32]bool{}}
	table := reflect.ValueOf(&wrapped).Elem()
	for i := range table.NumField() {
		name, kind := table.Type().Field(i).Name, table.Field(i).Type()
		if table.Field(i).IsNil() || name == "setDebugHandler" { // which is ours, not OpenGL's
			continue
		}
		// The fields are not exported, hence the detour over their address.
		field := reflect.NewAt(kind, unsafe.Pointer(table.Field(i).UnsafeAddr())).Elem()
		driver := reflect.ValueOf(field.Interface())
		field.Set(reflect.MakeFunc(kind, func(args []reflect.Value) []reflect.Value {
			return s.call(name, kind, driver, args)
		}))
	}
	return &wrapped
}

func (s *session) call(name string, kind reflect.Type, driver reflect.Value, args []reflect.Value) []reflect.Value {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	switch name {
	case "getError":
		if code := s.nextError(); code != noError {
			return one(code)
		}
		return driver.Call(args)
	case "getGraphicsResetStatus":
		if code := s.resetStatus(); code != noError {
			return one(code)
		}
		return driver.Call(args)
	}
	if s.lost == FaultNone && s.strikes(name, args) {
		s.strike(name)
		if s.lost == FaultNone {
			return s.fail(name, kind, driver, args)
		}
	}
	if s.lost != FaultNone {
		return s.idle(name, kind)
	}
	if s.stuck && name == "clientWaitSync" {
		s.f.skipped += max(time.Duration(args[2].Uint()), time.Second) // who asks often need not wait as often
		return one(uint32(timeoutExpired))
	}
	if s.refused && s.answerLog(name, args) {
		return nil
	}
	results := driver.Call(args)
	s.track(name, args, results)
	return results
}

func one[T any](v T) []reflect.Value { return []reflect.Value{reflect.ValueOf(v)} }

func (s *session) nextError() uint32 {
	switch {
	case s.lost == FaultSilentReset:
		return noError
	case s.lost != FaultNone:
		return contextLost
	case len(s.errors) == 0:
		return noError
	}
	code := s.errors[0]
	s.errors = s.errors[1:]
	return code
}

func (s *session) resetStatus() uint32 {
	if s.lost == FaultNone || s.lost == FaultSilentReset && s.told {
		return noError
	}
	s.told = true
	switch s.lost {
	case FaultGuiltyReset:
		return guiltyContextReset
	case FaultInnocentReset, FaultSilentReset:
		return innocentContextReset
	}
	return unknownContextReset
}

// strikes counts a call that could fail by the planted fault, and reports whether
// it is the one.
func (s *session) strikes(name string, args []reflect.Value) bool {
	f := s.f
	if f.kind == FaultNone || !s.eligible(name, args) {
		return false
	}
	f.calls = append(f.calls, name)
	return f.at == Always || len(f.calls)-1 == f.at
}

func (s *session) eligible(name string, args []reflect.Value) bool {
	status := func(function string, param uint32) bool { return name == function && uint32(args[1].Uint()) == param }
	switch s.f.kind {
	case FaultNoObject:
		switch name {
		case "genBuffers", "genTextures", "genQueries", "createShader", "createProgram", "fenceSync", "mapBufferRange":
			return true
		}
		return false
	case FaultWaitFails, FaultWaitForever:
		return name == "clientWaitSync"
	case FaultCompile:
		return status("getShaderiv", compileStatus)
	case FaultLink:
		return status("getProgramiv", linkStatus) && !s.binaries[uint32(args[0].Uint())]
	case FaultBinary:
		return status("getProgramiv", linkStatus) && s.binaries[uint32(args[0].Uint())]
	}
	return true
}

// strike changes the state of the context to that after the fault.
func (s *session) strike(name string) {
	s.f.struck = name
	switch kind := s.f.kind; {
	case kind == FaultOutOfMemory:
		s.errors = append(s.errors, outOfMemory)
	case kind == FaultInvalidOperation:
		s.errors = append(s.errors, invalidOperation)
	case kind == FaultWaitFails:
		s.errors = append(s.errors, invalidValue)
	case kind == FaultWaitForever:
		s.stuck = true
		s.bury()
	case kind.loses():
		s.lost = kind
		s.bury()
	}
}

// bury takes the objects of a context that is of no use any more from those that live.
func (s *session) bury() {
	for object, n := range s.live {
		s.f.live[object] -= n
	}
	clear(s.live)
}

// fail is the call that was struck.
func (s *session) fail(name string, kind reflect.Type, driver reflect.Value, args []reflect.Value) []reflect.Value {
	switch s.f.kind {
	case FaultWaitFails:
		return one(uint32(waitFailed))
	case FaultWaitForever:
		return one(uint32(timeoutExpired))
	case FaultCompile, FaultLink, FaultBinary:
		s.refused = true
		*(args[2].Interface().(*int32)) = 0
		return nil
	}
	if len(name) > 6 && name[:6] == "delete" {
		// The object would stay; what leaks so is not the caller's.
		results := driver.Call(args)
		s.track(name, args, results)
		return results
	}
	return zeros(kind)
}

// idle is a call to a lost context.
func (s *session) idle(name string, kind reflect.Type) []reflect.Value {
	if name == "clientWaitSync" {
		if s.lost == FaultSilentReset {
			return one(uint32(alreadySignaled))
		}
		return one(uint32(waitFailed))
	}
	return zeros(kind)
}

func zeros(kind reflect.Type) []reflect.Value {
	results := make([]reflect.Value, kind.NumOut())
	for i := range results {
		results[i] = reflect.Zero(kind.Out(i))
	}
	return results
}

// answerLog answers the questions for the log of a planted refusal.
func (s *session) answerLog(name string, args []reflect.Value) bool {
	switch name {
	case "getShaderiv", "getProgramiv":
		if uint32(args[1].Uint()) != infoLogLength {
			return false
		}
		*(args[2].Interface().(*int32)) = int32(len(FaultLog) + 1)
	case "getShaderInfoLog", "getProgramInfoLog":
		n := copy(unsafe.Slice(args[3].Interface().(*uint8), args[1].Int()), FaultLog)
		*(args[2].Interface().(*int32)) = int32(n)
		s.refused = false
	default:
		return false
	}
	return true
}

// track counts objects, and remembers which programs are binaries.
func (s *session) track(name string, args, results []reflect.Value) {
	if s.stuck {
		return
	}
	add := func(object string, n int) {
		s.live[object] += n
		s.f.live[object] += n
	}
	switch name {
	case "genBuffers", "genTextures", "genQueries":
		add(name[3:], int(args[0].Int()))
	case "deleteBuffers", "deleteTextures", "deleteQueries":
		if *(args[1].Interface().(*uint32)) != 0 {
			add(name[6:], -int(args[0].Int()))
		}
	case "createShader", "createProgram", "fenceSync":
		if !results[0].IsZero() {
			add(map[string]string{"createShader": "Shader", "createProgram": "Program", "fenceSync": "Sync"}[name], 1)
		}
	case "deleteShader", "deleteProgram", "deleteSync":
		if !args[0].IsZero() {
			add(name[6:], -1)
		}
	case "programBinary":
		s.binaries[uint32(args[0].Uint())] = true
	}
	if name == "deleteProgram" {
		delete(s.binaries, uint32(args[0].Uint()))
	}
}
