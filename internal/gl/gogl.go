//go:build cgo && !nogpu && (linux || windows)

package gl

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	gogl "github.com/go-gl/gl/v4.3-core/gl"
)

// table guards go-gl's function pointers, which are variables of that package:
// one set for the whole process.
//
// The limit that follows: all contexts that are alive at a time must get their
// functions from one provider. That holds for any number of contexts of one EGL
// or WGL driver (EGL 1.5 section 3.12: entry points are independent of the
// context), and for all drivers behind GLVND, whose entry points find the
// driver by the current context. It does not hold for two WGL drivers of two
// vendors in one process; bind refuses the second while the first is in use.
var table struct {
	sync.Mutex
	provider [4]unsafe.Pointer
	users    int
}

var errProvider = errors.New("gl: another OpenGL driver is in use by this process, whose functions differ")

// bind points go-gl at the provider and counts the context as its user.
func bind(proc func(string) unsafe.Pointer) (f *functions, unbind func(), err error) {
	table.Lock()
	defer table.Unlock()
	// A few functions tell two providers apart; each driver has its own.
	var provider [4]unsafe.Pointer
	for i, name := range [...]string{"glGetString", "glDispatchCompute", "glBindBufferRange", "glMemoryBarrier"} {
		if provider[i] = proc(name); provider[i] == nil {
			return nil, nil, fmt.Errorf("%w: no function %s: OpenGL 4.3 is needed", ErrUnavailable, name)
		}
	}
	if provider != table.provider {
		if table.users > 0 {
			return nil, nil, errProvider
		}
		// A table that is filled half is no table.
		table.provider = [4]unsafe.Pointer{}
		if err := gogl.InitWithProcAddrFunc(proc); err != nil {
			return nil, nil, fmt.Errorf("%w: missing function %w: OpenGL 4.3 is needed", ErrUnavailable, err)
		}
		table.provider = provider
	}
	table.users++
	unbind = sync.OnceFunc(func() {
		table.Lock()
		defer table.Unlock()
		table.users--
	})
	return newFunctions(proc), unbind, nil
}

func newFunctions(proc func(string) unsafe.Pointer) *functions {
	f := &functions{
		getError: gogl.GetError, getGraphicsResetStatus: gogl.GetGraphicsResetStatus,
		getString:   func(name uint32) string { return text(gogl.GetString(name)) },
		getStringi:  func(name, index uint32) string { return text(gogl.GetStringi(name, index)) },
		getIntegerv: gogl.GetIntegerv, getIntegeriv: gogl.GetIntegeri_v, getInteger64v: gogl.GetInteger64v,
		getInteger64iv: gogl.GetInteger64i_v,
		genBuffers:     gogl.GenBuffers, deleteBuffers: gogl.DeleteBuffers,
		bindBuffer: gogl.BindBuffer, bindBufferBase: gogl.BindBufferBase, bindBufferRange: gogl.BindBufferRange,
		bufferData: gogl.BufferData, bufferStorage: gogl.BufferStorage,
		bufferSubData: gogl.BufferSubData, getBufferSubData: gogl.GetBufferSubData,
		copyBufferSubData: gogl.CopyBufferSubData, clearBufferSubData: gogl.ClearBufferSubData,
		mapBufferRange: gogl.MapBufferRange, unmapBuffer: gogl.UnmapBuffer,
		genTextures: gogl.GenTextures, deleteTextures: gogl.DeleteTextures,
		activeTexture: gogl.ActiveTexture, bindTexture: gogl.BindTexture, texBufferRange: gogl.TexBufferRange,
		createShader: gogl.CreateShader, shaderSource: shaderSource, compileShader: gogl.CompileShader,
		getShaderiv: gogl.GetShaderiv, getShaderInfoLog: gogl.GetShaderInfoLog, deleteShader: gogl.DeleteShader,
		createProgram: gogl.CreateProgram, attachShader: gogl.AttachShader, detachShader: gogl.DetachShader,
		programParameteri: gogl.ProgramParameteri, linkProgram: gogl.LinkProgram,
		getProgramiv: gogl.GetProgramiv, getProgramInfoLog: gogl.GetProgramInfoLog,
		getProgramBinary: gogl.GetProgramBinary, programBinary: gogl.ProgramBinary,
		deleteProgram: gogl.DeleteProgram, useProgram: gogl.UseProgram, objectLabel: gogl.ObjectLabel,
		getProgramInterfaceiv: gogl.GetProgramInterfaceiv, getProgramResourceIndex: gogl.GetProgramResourceIndex,
		getProgramResourceName: gogl.GetProgramResourceName, getProgramResourceiv: gogl.GetProgramResourceiv,
		dispatchCompute: gogl.DispatchCompute, memoryBarrier: gogl.MemoryBarrier,
		flush: gogl.Flush, finish: gogl.Finish,
		fenceSync: gogl.FenceSync, clientWaitSync: gogl.ClientWaitSync, deleteSync: gogl.DeleteSync,
		genQueries: gogl.GenQueries, deleteQueries: gogl.DeleteQueries,
		beginQuery: gogl.BeginQuery, endQuery: gogl.EndQuery, getQueryiv: gogl.GetQueryiv,
		getQueryObjectiv: gogl.GetQueryObjectiv, getQueryObjectui64v: gogl.GetQueryObjectui64v,
		enable: gogl.Enable, disable: gogl.Disable, debugMessageControl: gogl.DebugMessageControl,
		setDebugHandler: debugInstaller(proc),
	}
	// The same function has three names, by the extension or the version that
	// brings it. GLVND makes up entry points, so a name is taken only where the
	// context has what the name belongs to.
	exts := extensionSet(f)
	switch {
	case exts["GL_KHR_robustness"] && proc("glGetGraphicsResetStatusKHR") != nil:
		f.getGraphicsResetStatus = gogl.GetGraphicsResetStatusKHR
	case exts["GL_ARB_robustness"] && proc("glGetGraphicsResetStatusARB") != nil:
		f.getGraphicsResetStatus = gogl.GetGraphicsResetStatusARB
	case atLeast(f, 4, 5) && proc("glGetGraphicsResetStatus") != nil:
	default:
		f.getGraphicsResetStatus = nil
	}
	switch {
	case exts["GL_KHR_parallel_shader_compile"] && proc("glMaxShaderCompilerThreadsKHR") != nil:
		f.compilerThreads = gogl.MaxShaderCompilerThreadsKHR
	case exts["GL_ARB_parallel_shader_compile"] && proc("glMaxShaderCompilerThreadsARB") != nil:
		f.compilerThreads = gogl.MaxShaderCompilerThreadsARB
	}
	if !(exts["GL_ARB_buffer_storage"] || atLeast(f, 4, 4)) || proc("glBufferStorage") == nil {
		f.bufferStorage = nil
	}
	return f
}

// text returns "" where the driver answers with no string at all.
func text(s *uint8) string {
	if s == nil {
		return ""
	}
	return gogl.GoStr(s)
}

func shaderSource(shader uint32, src string) {
	if src == "" {
		src = "\n" // go-gl cannot pass an empty list of bytes
	}
	list, free := gogl.Strs(src)
	defer free()
	length := int32(len(src))
	gogl.ShaderSource(shader, 1, list, &length)
}
