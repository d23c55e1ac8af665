// The part of EGL 1.5 that this package calls, as function pointers that
// load_linux.go fills. EGL's own headers are not needed to build.
//
// eglGetError belongs to the thread of the failed call, and Go may move a
// goroutine between two calls into C. Hence every function here that can fail
// reads the error itself, before it returns.
#include <stdint.h>
#include <stddef.h>

typedef struct {
	void *(*get_proc_address)(const char *);
	int32_t (*get_error)(void);
	const char *(*query_string)(void *display, int32_t name);
	void *(*get_display)(void *native);
	unsigned (*initialize)(void *display, int32_t *major, int32_t *minor);
	unsigned (*bind_api)(unsigned api);
	unsigned (*query_api)(void);
	unsigned (*choose_config)(void *display, const int32_t *attribs, void **configs, int32_t size, int32_t *count);
	void *(*create_context)(void *display, void *config, void *share, const int32_t *attribs);
	unsigned (*destroy_context)(void *display, void *context);
	unsigned (*make_current)(void *display, void *draw, void *read, void *context);
	void *(*get_current_context)(void);
	// From here on extensions, NULL where the library lacks them.
	void *(*get_platform_display)(unsigned platform, void *native, const int32_t *attribs);
	unsigned (*query_devices)(int32_t max, void **devices, int32_t *count);
	const char *(*query_device_string)(void *device, int32_t name);
	const char *(*get_display_driver_name)(void *display);
} attn_egl;

enum { ATTN_EGL_OPENGL_API = 0x30A2 };

static void *attn_egl_lookup(const attn_egl *e, const char *name) { return e->get_proc_address(name); }

static const char *attn_egl_query_string(const attn_egl *e, void *display, int32_t name) {
	const char *s = e->query_string(display, name);
	if (!s) e->get_error(); // an unsupported name must not show up as the error of a later call
	return s;
}

static const char *attn_egl_device_string(const attn_egl *e, void *device, int32_t name) {
	const char *s = e->query_device_string(device, name);
	if (!s) e->get_error();
	return s;
}

static const char *attn_egl_driver_name(const attn_egl *e, void *display) {
	const char *s = e->get_display_driver_name(display);
	if (!s) e->get_error();
	return s;
}

static void *attn_egl_display(const attn_egl *e, unsigned platform, void *native, int32_t *error) {
	void *display = platform ? e->get_platform_display(platform, native, NULL) : e->get_display(native);
	if (!display) *error = e->get_error();
	return display;
}

static unsigned attn_egl_initialize(const attn_egl *e, void *display, int32_t *major, int32_t *minor, int32_t *error) {
	unsigned ok = e->initialize(display, major, minor);
	if (!ok) *error = e->get_error();
	return ok;
}

static unsigned attn_egl_devices(const attn_egl *e, int32_t max, void **devices, int32_t *count, int32_t *error) {
	unsigned ok = e->query_devices(max, devices, count);
	if (!ok) *error = e->get_error();
	return ok;
}

static unsigned attn_egl_choose(const attn_egl *e, void *display, const int32_t *attribs, void **config, int32_t *count, int32_t *error) {
	unsigned ok = e->choose_config(display, attribs, config, 1, count);
	if (!ok) *error = e->get_error();
	return ok;
}

// The bound API is state of the thread, which may be running somebody else's
// OpenGL ES; it is put back.
static void *attn_egl_create(const attn_egl *e, void *display, void *config, const int32_t *attribs, int32_t *error) {
	unsigned before = e->query_api();
	if (!e->bind_api(ATTN_EGL_OPENGL_API)) {
		*error = e->get_error();
		return NULL;
	}
	void *context = e->create_context(display, config, NULL, attribs);
	if (!context) *error = e->get_error();
	e->bind_api(before);
	return context;
}

static unsigned attn_egl_destroy(const attn_egl *e, void *display, void *context, int32_t *error) {
	unsigned ok = e->destroy_context(display, context);
	if (!ok) *error = e->get_error();
	return ok;
}

static unsigned attn_egl_make_current(const attn_egl *e, void *display, void *context, int32_t *error) {
	unsigned ok = e->bind_api(ATTN_EGL_OPENGL_API) && e->make_current(display, NULL, NULL, context);
	if (!ok) *error = e->get_error();
	return ok;
}

// Releases the context if it is the current one of this thread; another
// context that is current here is not ours to release.
static unsigned attn_egl_release(const attn_egl *e, void *display, void *context, int32_t *error) {
	unsigned before = e->query_api(), ok = e->bind_api(ATTN_EGL_OPENGL_API);
	if (ok && e->get_current_context() == context) ok = e->make_current(display, NULL, NULL, NULL);
	if (!ok) *error = e->get_error();
	e->bind_api(before);
	return ok;
}
