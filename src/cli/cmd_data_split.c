/* gmner data split: the file is read twice, first to deal its posts, then to write them. */
#include "cli/cmd_data.h"

#include "base/file.h"
#include "base/input.h"
#include "base/log.h"
#include "corpus/split.h"
#include "formats/writer.h"

#include <math.h>
#include <string.h>

enum { MAX_PARTS = 32 };

struct parts {
    struct gm_arena arena; /* names and paths */
    const char *names[MAX_PARTS];
    double shares[MAX_PARTS];
    struct gm_writer *writers[MAX_PARTS];
    size_t n, counts[MAX_PARTS];
};

/* "train=0.8,dev=0.2" */
static enum gm_status read_parts(struct parts *p, const char *text, struct gm_error *err)
{
    struct gm_str rest = gm_str(text), one, name, share;
    double sum = 0;
    while (rest.n) {
        gm_str_cut(rest, ',', &one, &rest);
        if (p->n == MAX_PARTS || !gm_str_cut(one, '=', &name, &share) || name.n == 0 ||
            memchr(name.p, '/', name.n) || !gm_str_to_double(share, &p->shares[p->n]) ||
            !(p->shares[p->n] > 0))
            return GM_FAIL(err, GM_EARG,
                           "data split: --parts: \"%.*s\" is not NAME=SHARE, such as "
                           "dev=0.1",
                           GM_STR_ARG(one));
        for (size_t i = 0; i < p->n; i++)
            if (gm_str_eq_c(name, p->names[i]))
                return GM_FAIL(err, GM_EARG, "data split: --parts: two parts are named \"%.*s\"",
                               GM_STR_ARG(name));
        sum += p->shares[p->n];
        p->names[p->n] = gm_arena_str(&p->arena, name).p;
        if (!p->names[p->n++])
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
    }
    if (p->n < 2 || fabs(sum - 1) > 1e-6)
        return GM_FAIL(err, GM_EARG,
                       "data split: --parts: %zu parts of %g in all; expected two or "
                       "more that sum to 1",
                       p->n, sum);
    return GM_OK;
}

static enum gm_status open_parts(struct parts *p, const struct gm_data_opts *o,
                                 const struct gm_args *args, enum gm_format format,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_writer_opts wo = {.format = format};
    (void)gm_format_parse(o->to, &wo.format);
    if (wo.format == GM_FORMAT_AUTO)
        wo.format = gm_format_is_written(format) ? format : GM_FORMAT_JSONL;
    wo.scheme = strcmp(o->scheme, "bioes") == 0 ? GM_TAGS_BIOES : GM_TAGS_BIO;
    wo.spaced = strcmp(o->separator, "space") == 0;
    GM_TRY(gm_mkdirs(o->out_dir, err));
    for (size_t i = 0; i < p->n; i++) {
        struct gm_str path = gm_arena_printf(&p->arena, "%s/%s%s", o->out_dir, p->names[i],
                                             gm_format_ending(wo.format));
        if (!path.p)
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
        if (gm_data_check_output("split", args->v[1], path.p, wo.format, o, args, err) !=
            GM_EXIT_DONE)
            return GM_EARG;
        GM_TRY(gm_writer_open(&p->writers[i], path.p, &wo, err));
    }
done:
    return st;
}

/* One pass over the file: with parts == NULL posts are added to the split, else written. */
static enum gm_status pass(const char *path, const struct gm_data_opts *o, struct gm_split *split,
                           struct parts *parts, enum gm_format *format, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_data_in in = {0};
    GM_TRY(gm_data_in_open(&in, path, o, err));
    for (size_t i = 0;; i++) {
        struct gm_post post;
        bool has;
        GM_TRY(gm_data_in_next(&in, &post, &has, err));
        if (!has)
            break;
        if (parts) {
            size_t part = gm_split_part(split, i);
            parts->counts[part]++;
            st = gm_writer_add(parts->writers[part], &post, err);
        } else {
            st = gm_split_add(split, &post, err);
        }
        gm_post_clear(&post);
        if (st != GM_OK)
            goto done;
    }
    *format = gm_reader_format(in.reader);
    if (parts)
        gm_losses_tell(&in.lost, "data", "not read");
done:
    gm_data_in_close(&in);
    return st;
}

static enum gm_status commit(struct parts *p, struct gm_error *err)
{
    for (size_t i = 0; i < p->n; i++) {
        struct gm_losses lost = *gm_writer_losses(p->writers[i]);
        struct gm_writer *w = p->writers[i];
        p->writers[i] = NULL;
        enum gm_status st = gm_writer_commit(w, err);
        if (st != GM_OK)
            return st;
        gm_losses_tell(&lost, "data", "not held by the output");
        GM_LOG(GM_LOG_INFO, "data", "%s: %zu posts", p->names[i], p->counts[i]);
    }
    return GM_OK;
}

enum gm_exit gm_data_split(const struct gm_data_opts *o, const struct gm_args *args,
                           struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct parts parts = {0};
    struct gm_split *split = NULL;
    enum gm_format format;
    const char *path = args->v[1];
    gm_arena_init(&parts.arena, 0);
    if (!o->out_dir)
        return GM_USAGE(err, "data split: --out-dir DIR is missing");
    if (gm_input_is_once(path))
        return GM_USAGE(
            err, "data split: the file is read twice, so it can't be standard input or a pipe");
    GM_TRY(read_parts(&parts, o->parts, err));
    GM_TRY(gm_split_new(&split, err));
    GM_TRY(pass(path, o, split, NULL, &format, err));
    GM_TRY(gm_split_deal(split, parts.shares, parts.n, (uint64_t)o->seed, err));
    GM_TRY(open_parts(&parts, o, args, format, err));
    GM_TRY(pass(path, o, split, &parts, &format, err));
    GM_TRY(commit(&parts, err));
done:
    for (size_t i = 0; i < parts.n; i++)
        gm_writer_abort(parts.writers[i]);
    gm_split_free(split);
    gm_arena_clear(&parts.arena);
    return st == GM_EARG ? GM_EXIT_USAGE : gm_exit_of(st);
}
