/* What the server answers and what openapi.json tells of are the same. */
#include "unit.h"

#include "base/json.h"
#include "serve/assets.h"
#include "serve/server.h"

#include <ctype.h>

static const struct gm_json *paths, *document;

static int read_document(void **state)
{
    struct gm_error e = {0};
    struct gm_json *j = NULL;
    const struct gm_asset *a = NULL;
    (void)state;
    for (size_t i = 0; (a = gm_assets_at(i)) && strcmp(a->path, "/openapi.json") != 0;)
        i++;
    if (!a || gm_json_parse(&j, (struct gm_str){(const char *)a->p, a->n}, &e) != GM_OK)
        return -1;
    document = j;
    paths = gm_json_get(j, "paths");
    return 0;
}

static int free_document(void **state)
{
    gm_json_free((struct gm_json *)document);
    return no_leak(state);
}

static const struct gm_json *operation(const char *path, const char *method)
{
    char lower[8];
    size_t n = strlen(method);
    assert_true(n < sizeof lower);
    for (size_t i = 0; i <= n; i++)
        lower[i] = (char)tolower(method[i]);
    return gm_json_get(gm_json_get(paths, path), lower);
}

static bool names_file(const struct gm_json *files, const char *path)
{
    struct gm_str name;
    for (size_t i = 0; i < gm_json_count(files); i++)
        if (gm_json_str(gm_json_at(files, i), &name) && gm_str_eq_c(name, path + strlen("/page/")))
            return true;
    return false;
}

/* Each route and each file of the page is told of, with the token where it is wanted. */
static void test_routes_are_told(void **state)
{
    const struct gm_route *r;
    const struct gm_asset *a;
    const struct gm_json *page = gm_json_get(gm_json_get(paths, "/page/{file}"), "get");
    const struct gm_json *files =
        gm_json_get(gm_json_get(gm_json_at(gm_json_get(page, "parameters"), 0), "schema"), "enum");
    size_t n_files = 0;
    (void)state;
    for (size_t i = 0; (r = gm_routes_at(i)); i++) {
        const struct gm_json *op = operation(r->path, r->method);
        if (!op)
            fail_msg("openapi.json does not have %s %s", r->method, r->path);
        assert_int_equal(r->is_open, gm_json_get(op, "security") != NULL);
        assert_int_equal(r->has_body, gm_json_get(op, "requestBody") != NULL);
    }
    for (size_t i = 0; (a = gm_assets_at(i)); i++) {
        bool is_page = strncmp(a->path, "/page/", 6) == 0;
        n_files += is_page;
        if (is_page ? !names_file(files, a->path) : !operation(a->path, "GET"))
            fail_msg("openapi.json does not have GET %s", a->path);
    }
    assert_int_equal(n_files, gm_json_count(files));
}

/* And what is told of is answered, by that method alone. */
static void test_told_are_routes(void **state)
{
    (void)state;
    assert_true(gm_json_count(paths) > 15);
    for (void *it = gm_json_first(paths); it; it = gm_json_next(paths, it)) {
        const char *allow;
        struct gm_str path = gm_json_key(it);
        const struct gm_json *methods = gm_json_get(paths, path.p);
        bool is_files = gm_str_eq_c(path, "/page/{file}");
        gm_routes_find(GM_STR("GET"), is_files ? GM_STR("/page/app.js") : path, &allow);
        if (!allow)
            fail_msg("there is no route %s", path.p);
        assert_int_equal(gm_json_count(methods), 1);
        assert_non_null(operation(path.p, allow));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_routes_are_told),
                                       cmocka_unit_test(test_told_are_routes)};
    return run_group("serve_routes", tests, sizeof tests / sizeof *tests, read_document,
                     free_document);
}
