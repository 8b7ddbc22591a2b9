/* gmner data select: predictions are read twice, first to choose posts, then to write them. */
#include "cli/cmd_data.h"

#include "base/alloc.h"
#include "base/input.h"
#include "base/log.h"
#include "corpus/select.h"
#include "formats/writer.h"

#include <stdlib.h>
#include <string.h>

struct selecting {
    struct gm_select *select;
    bool known;                  /* posts are annotated already */
    size_t n;                    /* posts seen */
    const size_t *chosen, *rank; /* of the second pass: sorted numbers, and the place of each */
    size_t n_chosen, at;
    struct gm_post *posts; /* [n_chosen] by rank */
};

static enum gm_status choose(void *ctx, struct gm_post *post, struct gm_error *err)
{
    struct selecting *s = ctx;
    s->n++;
    return s->known ? gm_select_known(s->select, post, err) : gm_select_add(s->select, post, err);
}

/* Takes the post over where it is a chosen one. */
static enum gm_status keep(void *ctx, struct gm_post *post, struct gm_error *err)
{
    struct selecting *s = ctx;
    (void)err;
    if (s->at < s->n_chosen && s->chosen[s->at] == s->n) {
        s->posts[s->rank[s->at++]] = *post;
        gm_post_init(post);
    }
    s->n++;
    return GM_OK;
}

static enum gm_status pass(const char *path, const struct gm_data_opts *o, struct selecting *s,
                           enum gm_status (*fn)(void *, struct gm_post *, struct gm_error *),
                           size_t *n_bad, struct gm_error *err)
{
    struct gm_data_in in = {0};
    enum gm_status st = gm_data_in_open(&in, path, o, err);
    s->n = 0;
    if (st == GM_OK)
        st = gm_data_in_each(&in, fn, s, n_bad, err);
    if (st == GM_OK && !in.is_quiet)
        gm_losses_tell(&in.lost, "data", "not read");
    gm_data_in_close(&in);
    return st;
}

struct place {
    size_t number, rank;
};

static int by_number(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* The chosen posts, in order of the file, for the second pass. */
static enum gm_status sort_places(struct selecting *s, const size_t *chosen, size_t n,
                                  struct gm_arena *a, struct gm_error *err)
{
    struct place *places = gm_arena_alloc(a, n, sizeof *places);
    size_t *numbers = gm_arena_alloc(a, n, sizeof *numbers),
           *ranks = gm_arena_alloc(a, n, sizeof *ranks);
    s->posts = gm_arena_alloc(a, n, sizeof *s->posts);
    if (!places || !numbers || !ranks || !s->posts)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        places[i] = (struct place){chosen[i], i};
        gm_post_init(&s->posts[i]);
    }
    if (n)
        qsort(places, n, sizeof *places, by_number);
    for (size_t i = 0; i < n; i++) {
        numbers[i] = places[i].number;
        ranks[i] = places[i].rank;
    }
    s->chosen = numbers;
    s->rank = ranks;
    s->n_chosen = n;
    return GM_OK;
}

static enum gm_format format_of(const struct gm_data_opts *o)
{
    enum gm_format format;
    (void)gm_format_parse(o->to, &format);
    if (format == GM_FORMAT_AUTO)
        format = gm_format_of_name(o->output);
    return format == GM_FORMAT_AUTO ? GM_FORMAT_LABELSTUDIO : format;
}

static enum gm_status write_all(const struct gm_data_opts *o, struct selecting *s,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_writer *w = NULL;
    struct gm_losses lost;
    struct gm_writer_opts wo = {
        .format = format_of(o), .image_prefix = o->image_prefix, .images_dir = o->images};
    GM_TRY(gm_writer_open(&w, o->output, &wo, err));
    for (size_t i = 0; i < s->n_chosen; i++)
        GM_TRY(gm_writer_add(w, &s->posts[i], err));
    lost = *gm_writer_losses(w);
    st = gm_writer_commit(w, err);
    w = NULL;
    GM_TRY(st);
    gm_losses_tell(&lost, "data", "not held by the output");
done:
    gm_writer_abort(w);
    return st;
}

enum gm_exit gm_data_select(const struct gm_data_opts *o, const struct gm_args *args,
                            struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct selecting s = {0};
    struct gm_data_opts again = *o;
    struct gm_arena a;
    const size_t *chosen;
    size_t n_chosen, n_left_out, n_bad = 0, n_ignored = 0, n_known = 0;
    if (!o->pred || o->n == 0)
        return GM_USAGE(err, "data select: --pred FILE and -n N are needed");
    if (gm_input_is_once(o->pred))
        return GM_USAGE(
            err, "data select: --pred is read twice, so it can't be standard input or a pipe");
    if (gm_data_check_output("select", o->pred, o->output, format_of(o), o, args, err) !=
        GM_EXIT_DONE)
        return GM_EXIT_USAGE;
    gm_arena_init(&a, 0);
    GM_TRY(gm_select_new(&s.select, o->similarity, err));
    if (o->known) {
        s.known = true;
        GM_TRY(pass(o->known, o, &s, choose, &n_bad, err));
        s.known = false;
        n_known = s.n;
    }
    GM_TRY(pass(o->pred, o, &s, choose, &n_bad, err));
    size_t n_posts = s.n;
    GM_TRY(gm_select_pick(s.select, (size_t)o->n, &chosen, &n_chosen, &n_left_out, err));
    GM_TRY(sort_places(&s, chosen, n_chosen, &a, err));
    again.is_quiet = true;
    GM_TRY(pass(o->pred, &again, &s, keep, &n_ignored, err));
    if (s.at < s.n_chosen) {
        st = GM_FAIL(err, GM_EARG, "%s: is read twice, and had fewer posts the second time",
                     o->pred);
        goto done;
    }
    GM_TRY(write_all(o, &s, err));
    GM_LOG(GM_LOG_INFO, "data",
           "%zu of %zu posts, the most uncertain first; %zu near-duplicates left out%s", n_chosen,
           n_posts, n_left_out, n_known ? " of these and of the known ones" : "");
    if (n_chosen < (size_t)o->n)
        GM_LOG(GM_LOG_WARN, "data", "fewer than asked for: %s",
               n_chosen + n_left_out == n_posts
                   ? "there are no others"
                   : "of the others nothing is unsure. Scores of `gmner predict` are needed, and "
                     "`candidates:` of the stage tag adds what it may have missed");
done:
    for (size_t i = 0; i < s.n_chosen; i++)
        gm_post_clear(&s.posts[i]);
    gm_select_free(s.select);
    gm_arena_clear(&a);
    return st != GM_OK ? gm_exit_of(st) : n_bad ? GM_EXIT_SOME : GM_EXIT_DONE;
}
