/* gmner data check: findings as lines and a count of each kind, or as JSON. */
#include "cli/cmd_data.h"

#include "corpus/check.h"

#include <stdio.h>

enum { SHOWN = 20 }; /* findings of a kind, without --all */

struct report {
    struct gm_buf text;
    bool json, all;
    size_t n_kind[GM_CHECK_KINDS];
    size_t n;
    enum gm_status st; /* of the first failure to note a finding */
    struct gm_error *err;
};

static enum gm_status put_json(struct report *r, enum gm_check_kind kind, const char *file,
                               size_t line, struct gm_str id, const char *message)
{
    enum gm_status st = GM_OK;
    struct gm_buf *b = &r->text;
    GM_TRY(gm_buf_printf(b, r->err, "%s{\"kind\": \"%s\", \"file\": ", r->n > 1 ? ", " : "",
                         gm_check_name(kind)));
    GM_TRY(gm_json_write_str(gm_str(file), b, r->err));
    GM_TRY(gm_buf_printf(b, r->err, ", \"line\": %zu, \"id\": ", line));
    GM_TRY(gm_json_write_str(id, b, r->err));
    GM_TRY(gm_buf_add_c(b, ", \"message\": ", r->err));
    GM_TRY(gm_json_write_str(gm_str(message), b, r->err));
    GM_TRY(gm_buf_add_c(b, "}", r->err));
done:
    return st;
}

static void on_found(void *user, enum gm_check_kind kind, const char *file, size_t line,
                     struct gm_str id, const char *message)
{
    struct report *r = user;
    if (r->st != GM_OK)
        return;
    r->n++;
    if (++r->n_kind[kind] > SHOWN && !r->json && !r->all)
        return;
    r->st = r->json ? put_json(r, kind, file, line, id, message)
                    : gm_buf_printf(&r->text, r->err, "%s:%zu: %s: %s%.*s%s%s\n", file, line,
                                    gm_check_name(kind), id.n ? "post " : "", GM_STR_ARG(id),
                                    id.n ? ": " : "", message);
}

static enum gm_status put_counts(struct report *r, const struct gm_check *c, size_t n_files,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool first = true;
    if (r->json)
        GM_TRY(gm_buf_printf(&r->text, err, "], \"files\": %zu, \"posts\": %zu, \"counts\": {",
                             n_files, gm_check_posts(c)));
    else
        GM_TRY(gm_buf_printf(&r->text, err, "%zu posts in %zu file%s: %zu finding%s\n",
                             gm_check_posts(c), n_files, n_files == 1 ? "" : "s", r->n,
                             r->n == 1 ? "" : "s"));
    for (enum gm_check_kind k = 0; k < GM_CHECK_KINDS; k++) {
        if (!gm_check_count(c, k))
            continue;
        size_t n = gm_check_count(c, k);
        GM_TRY(gm_buf_printf(&r->text, err, r->json ? "%s\"%s\": %zu" : "%s  %-16s %zu",
                             r->json && !first ? ", " : "", gm_check_name(k), n));
        if (!r->json && !r->all && n > SHOWN)
            GM_TRY(gm_buf_printf(&r->text, err, ", the first %d shown (--all shows every one)",
                                 SHOWN));
        if (!r->json)
            GM_TRY(gm_buf_add_c(&r->text, "\n", err));
        first = false;
    }
    if (r->json)
        GM_TRY(gm_buf_add_c(&r->text, "}}\n", err));
done:
    return st;
}

static enum gm_status check_all(const struct gm_data_opts *o, const struct gm_args *args,
                                struct gm_check *c, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_data_in in = {0};
    struct gm_data_opts raw = *o;
    raw.keeps_bad_boxes = true;
    for (size_t i = 1; i < args->n; i++) {
        GM_TRY(gm_data_in_open(&in, args->v[i], &raw, err));
        GM_TRY(gm_check_file(c, in.reader, &in.lost, err));
        gm_losses_tell(&in.lost, "data", "not read");
        gm_data_in_close(&in);
    }
done:
    gm_data_in_close(&in);
    return st;
}

enum gm_exit gm_data_check(const struct gm_data_opts *o, const struct gm_args *args,
                           struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct report r = {.json = o->json, .all = o->all, .err = err};
    struct gm_check *c = NULL;
    const struct gm_check_opts co = {.xml_dir = o->xml,
                                     .similarity = o->similarity,
                                     .types = o->types,
                                     .found = on_found,
                                     .user = &r};
    gm_buf_init(&r.text, (size_t)1 << 30);
    if (r.json)
        GM_TRY(gm_buf_add_c(&r.text, "{\"findings\": [", err));
    GM_TRY(gm_check_new(&c, &co, err));
    GM_TRY(check_all(o, args, c, err));
    gm_check_finish(c);
    GM_TRY(r.st);
    GM_TRY(put_counts(&r, c, args->n - 1, err));
    GM_TRY(gm_print(gm_buf_str(&r.text), err));
done:
    gm_check_free(c);
    gm_buf_clear(&r.text);
    return st == GM_OK && r.n ? GM_EXIT_SOME : gm_exit_of(st);
}
