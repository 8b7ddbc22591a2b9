/* _gmner.c - the extension module under the package gmner: a model of include/gmner/gmner.h as a Python
 * object. Posts go in as JSON and results come out as JSON, the records of docs/record.md, so that they are
 * the program's byte for byte; the package's Python files make objects of them.
 *
 * The limited API of Python 3.9 (abi3), so that one build serves every later version.
 *
 * Threads: the GIL is released while the library works, and wherever it may wait for a lock: a thread of the
 * library that logs waits for the GIL. A call takes an idle session or makes one, and so
 * any number of threads may use a model at once; the lists of sessions change only under the GIL. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <gmner/gmner.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* CPython's slots hold functions as void *, which ISO C does not know. */
#pragma GCC diagnostic ignored "-Wpedantic"

/* ---- errors ---- */

/* Raises what gmner._errors.error_of makes of it: the subclass of GmnerError of that status. */
static PyObject *raise_status(int status, const char *message)
{
    PyObject *errors = PyImport_ImportModule("gmner._errors");
    PyObject *error =
        errors ? PyObject_CallMethod(errors, "error_of", "is", status, message) : NULL;
    if (error)
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_XDECREF(error);
    Py_XDECREF(errors);
    return NULL;
}

/* ---- the model ---- */

struct sessions {
    struct gmner_session **v;
    size_t n, cap;
};

struct model {
    PyObject_HEAD struct gmner_model *model; /* NULL once it is closed and nobody uses it */
    struct sessions idle, busy;
    size_t n_using; /* threads that use `model` itself, without the GIL */
    int is_closed;
    PyObject *log; /* called with (level, line), or NULL */
};

static int add_session(struct sessions *s, struct gmner_session *one)
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 4;
        struct gmner_session **v = realloc(s->v, cap * sizeof *v);
        if (!v)
            return -1;
        s->v = v;
        s->cap = cap;
    }
    s->v[s->n++] = one;
    return 0;
}

static void remove_session(struct sessions *s, const struct gmner_session *one)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i] == one) {
            s->v[i] = s->v[--s->n];
            return;
        }
}

/* Once nobody uses it any more. Calls that are under way have sessions of their own, which
 * keep what they need, and end well. */
static void finish_close(struct model *self)
{
    struct gmner_model *model = self->model;
    struct sessions idle = self->idle;
    if (!self->is_closed || self->n_using > 0)
        return;
    self->model = NULL;
    self->idle = (struct sessions){NULL, 0, 0};
    Py_BEGIN_ALLOW_THREADS;
    for (size_t i = 0; i < idle.n; i++)
        gmner_session_free(idle.v[i]);
    gmner_close(model);
    Py_END_ALLOW_THREADS;
    free(idle.v);
}

static void close_model(struct model *self)
{
    self->is_closed = 1;
    finish_close(self);
}

static void free_session(struct gmner_session *s)
{
    Py_BEGIN_ALLOW_THREADS;
    gmner_session_free(s);
    Py_END_ALLOW_THREADS;
}

static struct gmner_session *make_session(struct model *self)
{
    struct gmner_session *s = NULL;
    struct gmner_error error;
    int rc;
    self->n_using++;
    Py_BEGIN_ALLOW_THREADS;
    rc = gmner_session_new(self->model, &s, &error);
    Py_END_ALLOW_THREADS;
    self->n_using--;
    finish_close(self);
    if (rc != GMNER_OK)
        raise_status(rc, error.message);
    return s;
}

static struct gmner_session *take_session(struct model *self)
{
    struct gmner_session *s;
    if (self->is_closed) {
        raise_status(GMNER_ECLOSED, "the model is closed");
        return NULL;
    }
    s = self->idle.n > 0 ? self->idle.v[--self->idle.n] : make_session(self);
    if (!s)
        return NULL;
    if (add_session(&self->busy, s) == 0)
        return s;
    free_session(s);
    PyErr_NoMemory();
    return NULL;
}

/* Of a model that was closed meanwhile nothing is kept. */
static void give_back(struct model *self, struct gmner_session *s)
{
    remove_session(&self->busy, s);
    if (self->is_closed || add_session(&self->idle, s) != 0)
        free_session(s);
}

static PyObject *model_close(PyObject *self, PyObject *unused)
{
    (void)unused;
    close_model((struct model *)self);
    Py_RETURN_NONE;
}

static PyObject *model_cancel(PyObject *self, PyObject *unused)
{
    struct sessions *busy = &((struct model *)self)->busy;
    (void)unused;
    for (size_t i = 0; i < busy->n; i++)
        gmner_cancel(busy->v[i]);
    Py_RETURN_NONE;
}

static PyObject *model_closed(PyObject *self, PyObject *unused)
{
    (void)unused;
    return PyBool_FromLong(((struct model *)self)->is_closed);
}

static PyObject *model_usage(PyObject *self, PyObject *unused)
{
    struct model *m = (struct model *)self;
    struct gmner_usage u = {.struct_size = sizeof u};
    struct gmner_error error;
    (void)unused;
    if (m->is_closed)
        return raise_status(GMNER_ECLOSED, "the model is closed");
    int rc;
    m->n_using++;
    Py_BEGIN_ALLOW_THREADS; /* who logs may wait for the GIL */
    rc = gmner_model_usage(m->model, &u, &error);
    Py_END_ALLOW_THREADS;
    m->n_using--;
    finish_close(m);
    if (rc != GMNER_OK)
        return raise_status(rc, error.message);
    return Py_BuildValue("{s:n,s:n,s:n,s:n,s:n,s:n,s:d}", "requests", (Py_ssize_t)u.requests,
                         "answered", (Py_ssize_t)u.answered, "cached", (Py_ssize_t)u.cached,
                         "failed", (Py_ssize_t)u.failed, "prompt_tokens",
                         (Py_ssize_t)u.prompt_tokens, "completion_tokens",
                         (Py_ssize_t)u.completion_tokens, "cost", u.cost);
}

static void model_dealloc(PyObject *self)
{
    struct model *m = (struct model *)self;
    PyTypeObject *type = Py_TYPE(self);
    close_model(m);
    free(m->idle.v);
    free(m->busy.v);
    Py_XDECREF(m->log);
    PyObject_Free(self);
    Py_DECREF(type);
}

/* ---- predict ---- */

/* One call. What the posts point to belongs to the list that predict was given; so the callbacks need no GIL,
 * but for the one that looks whether the user pressed Ctrl-C. */
struct call {
    struct gmner_post *posts;
    struct gmner_result **results;
    size_t n, n_taken, n_put;
    PyThreadState *state;
};

static int next_post(void *user, struct gmner_post *post)
{
    struct call *c = user;
    if (c->n_taken == c->n)
        return GMNER_NEXT_END;
    *post = c->posts[c->n_taken++];
    return GMNER_NEXT_POST;
}

static int put_result(void *user, struct gmner_result *result)
{
    struct call *c = user;
    c->results[c->n_put++] = result;
    return 0;
}

static int is_stopped(void *user)
{
    struct call *c = user;
    PyEval_RestoreThread(c->state);
    int stopped = PyErr_CheckSignals();
    c->state = PyEval_SaveThread();
    return stopped;
}

/* A pair (JSON as bytes, bytes of the picture or None) as a post that borrows both. */
static int read_pair(PyObject *pair, struct gmner_post *post)
{
    PyObject *json, *image;
    Py_ssize_t n_json, n_image;
    char *p_json, *p_image;
    *post = (struct gmner_post){.struct_size = sizeof *post};
    if (!PyTuple_Check(pair)) {
        PyErr_SetString(PyExc_TypeError,
                        "a post must be a pair (JSON as bytes, picture as bytes or None)");
        return -1;
    }
    if (!PyArg_ParseTuple(pair, "SO", &json, &image) ||
        PyBytes_AsStringAndSize(json, &p_json, &n_json) != 0)
        return -1;
    post->json = p_json;
    post->json_len = (size_t)n_json;
    if (image == Py_None)
        return 0;
    if (PyBytes_AsStringAndSize(image, &p_image, &n_image) != 0)
        return -1;
    post->image_bytes = p_image;
    post->image_len = (size_t)n_image;
    return 0;
}

static int begin_call(struct call *c, PyObject *pairs)
{
    Py_ssize_t n = PyList_Size(pairs);
    if (n < 0)
        return -1;
    c->n = (size_t)n;
    c->posts = calloc(c->n + 1, sizeof *c->posts);
    c->results = calloc(c->n + 1, sizeof *c->results);
    if (!c->posts || !c->results) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; i < c->n; i++)
        if (read_pair(PyList_GetItem(pairs, (Py_ssize_t)i), &c->posts[i]) != 0)
            return -1;
    return 0;
}

static void end_call(struct call *c)
{
    for (size_t i = 0; i < c->n_put; i++)
        gmner_result_free(c->results[i]);
    free(c->posts);
    free(c->results);
}

static PyObject *json_of(struct gmner_result *result)
{
    const char *json;
    size_t len;
    struct gmner_error error;
    int rc = gmner_result_json(result, 0, &json, &len, &error);
    if (rc != GMNER_OK)
        return raise_status(rc, error.message);
    return PyUnicode_DecodeUTF8(json, (Py_ssize_t)len, "replace");
}

static PyObject *list_of(const struct call *c)
{
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < c->n_put; i++) {
        PyObject *json = json_of(c->results[i]);
        if (!json || PyList_Append(list, json) != 0)
            Py_CLEAR(list);
        Py_XDECREF(json);
    }
    return list;
}

static PyObject *run_call(struct model *self, struct call *c)
{
    struct gmner_error error;
    struct gmner_stream stream = {.struct_size = sizeof stream,
                                  .user = c,
                                  .next = next_post,
                                  .put = put_result,
                                  .stop = is_stopped};
    struct gmner_session *session = take_session(self);
    if (!session)
        return NULL;
    c->state = PyEval_SaveThread();
    int rc = gmner_stream_run(session, &stream, &error);
    PyEval_RestoreThread(c->state);
    give_back(self, session);
    if (PyErr_Occurred()) /* KeyboardInterrupt, or what another handler raised */
        return NULL;
    return rc == GMNER_OK ? list_of(c) : raise_status(rc, error.message);
}

/* predict([(json, image), …]) -> [json, …]. The list is copied: nobody can change it meanwhile. */
static PyObject *model_predict(PyObject *self, PyObject *args)
{
    struct call c = {.n = 0};
    PyObject *given, *pairs, *out = NULL;
    if (!PyArg_ParseTuple(args, "O", &given) || !(pairs = PySequence_List(given)))
        return NULL;
    if (begin_call(&c, pairs) == 0)
        out = run_call((struct model *)self, &c);
    end_call(&c);
    Py_DECREF(pairs);
    return out;
}

/* ---- opening ---- */

/* From any thread. What the callable raises is written by Python as "unraisable". */
static void pass_on(void *user, int level, const char *line)
{
    PyGILState_STATE state = PyGILState_Ensure();
    PyObject *log = user;
    PyObject *kept_type, *kept_value, *kept_trace;
    PyErr_Fetch(&kept_type, &kept_value, &kept_trace);
    PyObject *text = PyUnicode_DecodeUTF8(line, (Py_ssize_t)strlen(line), "replace");
    PyObject *done = text ? PyObject_CallFunction(log, "iO", level, text) : NULL;
    if (!done)
        PyErr_WriteUnraisable(log);
    Py_XDECREF(done);
    Py_XDECREF(text);
    PyErr_Restore(kept_type, kept_value, kept_trace);
    PyGILState_Release(state);
}

enum kind { TEXT, COUNT, NUMBER, LEVEL };
#define OPTION(kind, name)                             \
    {                                                  \
#name, kind, offsetof(struct gmner_opts, name) \
    }
static const struct option {
    const char *name;
    enum kind kind;
    size_t offset;
} options[] = {OPTION(TEXT, recipe),
               OPTION(TEXT, settings),
               OPTION(TEXT, tagger),
               OPTION(TEXT, precision),
               OPTION(COUNT, max_words),
               OPTION(NUMBER, post_seconds),
               OPTION(TEXT, home),
               OPTION(TEXT, models),
               OPTION(COUNT, threads),
               OPTION(COUNT, sessions),
               OPTION(TEXT, llm_endpoint),
               OPTION(TEXT, llm_model),
               OPTION(TEXT, llm_key),
               OPTION(TEXT, llm_key_file),
               OPTION(TEXT, llm_server),
               OPTION(TEXT, llm_cache),
               OPTION(COUNT, llm_in_flight),
               OPTION(NUMBER, llm_price_in),
               OPTION(NUMBER, llm_price_out),
               OPTION(NUMBER, llm_budget),
               OPTION(NUMBER, llm_requests_per_min),
               OPTION(NUMBER, llm_tokens_per_min),
               OPTION(LEVEL, log_level)};

/* Texts are bytes, which the dictionary keeps until the model is open. */
static int set_option(struct gmner_opts *o, const struct option *option, PyObject *value)
{
    void *to = (char *)o + option->offset;
    char *text;
    size_t count = 0;
    double number = 0;
    switch (option->kind) {
    case TEXT:
        if (PyBytes_AsStringAndSize(value, &text, NULL) != 0)
            return -1;
        memcpy(to, &text, sizeof text);
        return 0;
    case COUNT:
        count = PyLong_AsSize_t(value);
        memcpy(to, &count, sizeof count);
        break;
    case NUMBER:
        number = PyFloat_AsDouble(value);
        memcpy(to, &number, sizeof number);
        break;
    case LEVEL: o->log_level = (int)PyLong_AsLong(value); break;
    }
    return PyErr_Occurred() ? -1 : 0;
}

static int read_options(PyObject *dict, struct gmner_opts *o)
{
    PyObject *key, *value;
    Py_ssize_t at = 0;
    while (PyDict_Next(dict, &at, &key, &value)) {
        size_t i = 0, n = sizeof options / sizeof *options;
        while (i < n && PyUnicode_CompareWithASCIIString(key, options[i].name) != 0)
            i++;
        if (i == n) {
            PyErr_Format(PyExc_TypeError, "no option %R", key);
            return -1;
        }
        if (set_option(o, &options[i], value) != 0)
            return -1;
    }
    return 0;
}

/* Model(options, log) */
static PyObject *model_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *dict, *log;
    struct gmner_opts opts;
    struct gmner_error error;
    (void)kwargs;
    gmner_opts_init(&opts, sizeof opts);
    if (!PyArg_ParseTuple(args, "O!O", &PyDict_Type, &dict, &log) || read_options(dict, &opts) != 0)
        return NULL;
    struct model *self = (struct model *)PyType_GenericAlloc(type, 0);
    if (!self)
        return NULL;
    if (log != Py_None) {
        Py_INCREF(log);
        self->log = log;
        opts.log = pass_on;
        opts.log_user = log;
    }
    struct gmner_model *model = NULL;
    int rc;
    Py_BEGIN_ALLOW_THREADS;
    rc = gmner_open(&opts, &model, &error);
    Py_END_ALLOW_THREADS;
    self->model = model;
    if (rc == GMNER_OK)
        return (PyObject *)self;
    Py_DECREF(self);
    return raise_status(rc, error.message);
}

static PyMethodDef model_methods[] = {
    {"predict", model_predict, METH_VARARGS, "predict(pairs) -> list of records as JSON"},
    {"cancel", model_cancel, METH_NOARGS, "End the calls that are under way in other threads."},
    {"close", model_close, METH_NOARGS, "Give up all that the model holds."},
    {"is_closed", model_closed, METH_NOARGS, "Whether it was closed."},
    {"usage", model_usage, METH_NOARGS, "What the language model has cost so far."},
    {NULL, NULL, 0, NULL}};

static PyType_Slot model_slots[] = {{Py_tp_new, (void *)model_new},
                                    {Py_tp_dealloc, (void *)model_dealloc},
                                    {Py_tp_methods, model_methods},
                                    {Py_tp_doc, "Model(options, log): gmner_open"},
                                    {0, NULL}};

static PyType_Spec model_spec = {"gmner._gmner.Model", sizeof(struct model), 0, Py_TPFLAGS_DEFAULT,
                                 model_slots};

/* ---- the module ---- */

/* html(json, image) -> the post's page */
static PyObject *html_of(PyObject *module, PyObject *pair)
{
    struct gmner_post post;
    struct gmner_error error;
    char *html = NULL;
    size_t len = 0;
    int rc;
    (void)module;
    if (read_pair(pair, &post) != 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS;
    rc = gmner_html(&post, &html, &len, &error);
    Py_END_ALLOW_THREADS;
    if (rc != GMNER_OK)
        return raise_status(rc, error.message);
    PyObject *text = PyUnicode_DecodeUTF8(html, (Py_ssize_t)len, "replace");
    gmner_html_free(html);
    return text;
}

static PyMethodDef module_methods[] = {
    {"html", html_of, METH_VARARGS, "html(json, image) -> the post's page"}, {NULL, NULL, 0, NULL}};

static int fill_module(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&model_spec);
    if (!type)
        return -1;
    if (PyModule_AddObject(module, "Model", type) != 0) {
        Py_DECREF(type);
        return -1;
    }
    return PyModule_AddStringConstant(module, "version", gmner_version());
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, (void *)fill_module}, {0, NULL}};
static struct PyModuleDef module_def = {PyModuleDef_HEAD_INIT, .m_name = "_gmner",
                                        .m_doc = "The library under gmner.",
                                        .m_methods = module_methods, .m_slots = module_slots};

PyMODINIT_FUNC PyInit__gmner(void);
PyMODINIT_FUNC PyInit__gmner(void) { return PyModuleDef_Init(&module_def); }
