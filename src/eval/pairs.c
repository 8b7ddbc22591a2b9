#include "eval/pairs.h"

#include "base/alloc.h"
#include "eval/post_blob.h"
#include "record/labels.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MAX_IDS = 1 << 30, ID_SHOWN = 80 };

/* A prediction that waits for its gold post, in the temporary file. Those of one id are a chain in
 * file order. */
struct waiting {
    uint64_t at; /* bytes */
    uint32_t n;
    uint32_t id;
    size_t line;
    uint32_t next; /* GM_LABEL_NONE: the last */
    bool is_used;
};

struct chain {
    uint32_t first, last; /* numbers of waiting[]; GM_LABEL_NONE: empty */
};

/* Posts of one file that found no partner. */
struct unpaired {
    size_t n, line;    /* line of the first */
    char id[ID_SHOWN]; /* of the first */
};

struct gm_pairs {
    struct gm_reader *gold, *pred;
    struct gm_labels ids;
    struct gm_buf chains;    /* struct chain [ids.n] */
    struct gm_buf waiting;   /* struct waiting */
    FILE *spill;             /* posts that wait; NULL until one does */
    uint64_t spill_end;      /* bytes */
    struct gm_buf blob;      /* one post on its way */
    bool is_begun, by_place; /* by_place: one of the files has no ids */
    bool pred_ended, gold_ended;
    size_t n_left;               /* predictions that waited, looked at after the end of gold */
    size_t gold_line, pred_line; /* of the pair returned last; 0 = that file lacks its post */
    struct unpaired no_pred, no_gold;
};

static struct waiting *waiting_at(const struct gm_pairs *p, size_t i)
{
    return &((struct waiting *)(void *)p->waiting.p)[i];
}

static struct chain *chain_at(const struct gm_pairs *p, uint32_t id)
{
    return &((struct chain *)(void *)p->chains.p)[id];
}

enum gm_status gm_pairs_open(struct gm_pairs **out, const char *gold_path, const char *pred_path,
                             const struct gm_reader_opts *opts, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *out = NULL;
    if (strcmp(gold_path, "-") == 0 && strcmp(pred_path, "-") == 0)
        return GM_FAIL(err, GM_EARG, "gold and predictions cannot both be standard input");
    struct gm_pairs *p = gm_alloc(1, sizeof *p);
    if (!p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_labels_init(&p->ids, MAX_IDS);
    gm_buf_init(&p->chains, MAX_IDS * sizeof(struct chain));
    gm_buf_init(&p->waiting, MAX_IDS * sizeof(struct waiting));
    gm_buf_init(&p->blob, UINT32_MAX);
    GM_TRY(gm_reader_open(&p->gold, gold_path, opts, err));
    GM_TRY(gm_reader_open(&p->pred, pred_path, opts, err));
    *out = p;
    p = NULL;
done:
    gm_pairs_free(p);
    return st;
}

void gm_pairs_free(struct gm_pairs *p)
{
    if (!p)
        return;
    if (p->spill)
        fclose(p->spill);
    gm_buf_clear(&p->blob);
    gm_reader_free(p->gold);
    gm_reader_free(p->pred);
    gm_labels_clear(&p->ids);
    gm_buf_clear(&p->chains);
    gm_buf_clear(&p->waiting);
    gm_free(p);
}

static void note(struct unpaired *u, struct gm_str id, size_t line)
{
    if (u->n++ == 0) {
        snprintf(u->id, sizeof u->id, "%.*s", (int)(id.n < ID_SHOWN ? id.n : ID_SHOWN), id.p);
        u->line = line;
    }
}

/* ---- the temporary file ---- */

static enum gm_status spill(struct gm_pairs *p, const struct gm_post *post, struct waiting *w,
                            struct gm_error *err)
{
    enum gm_status st = GM_OK;
    gm_buf_reset(&p->blob);
    GM_TRY(gm_post_put(post, &p->blob, err));
    if (!p->spill && !(p->spill = tmpfile()))
        return GM_FAIL(err, GM_EIO,
                       "no temporary file for predictions in another order than gold: "
                       "%s",
                       strerror(errno));
    *w = (struct waiting){.at = p->spill_end, .n = (uint32_t)p->blob.n, .next = GM_LABEL_NONE};
    if (!gm_pwrite_all(fileno(p->spill), gm_buf_str(&p->blob), (off_t)p->spill_end))
        return GM_FAIL(err, GM_EIO, "temporary file for predictions in another order than gold: %s",
                       strerror(errno));
    p->spill_end += p->blob.n;
done:
    return st;
}

static enum gm_status unspill(struct gm_pairs *p, const struct waiting *w, struct gm_post *post,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    gm_buf_reset(&p->blob);
    GM_TRY(gm_buf_reserve(&p->blob, w->n, err));
    for (size_t done = 0; done < w->n;) {
        ssize_t k = pread(fileno(p->spill), p->blob.p + done, w->n - done, (off_t)(w->at + done));
        if (k == 0 || (k < 0 && errno != EINTR))
            return GM_FAIL(err, GM_EIO, "temporary file of predictions: %s",
                           k == 0 ? "cut short" : strerror(errno));
        done += k > 0 ? (size_t)k : 0;
    }
    GM_TRY(gm_post_take(post, p->blob.p, err));
done:
    return st;
}

/* Keep a prediction, which is taken over in any case. */
static enum gm_status keep(struct gm_pairs *p, struct gm_post *post, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct chain empty = {GM_LABEL_NONE, GM_LABEL_NONE};
    uint32_t id, at = (uint32_t)(p->waiting.n / sizeof(struct waiting));
    struct waiting w;
    GM_TRY(gm_labels_add(&p->ids, post->id, &id, err));
    while (p->chains.n < p->ids.n * sizeof empty)
        GM_TRY(gm_buf_add(&p->chains, &empty, sizeof empty, err));
    GM_TRY(spill(p, post, &w, err));
    w.id = id;
    w.line = gm_reader_line(p->pred);
    GM_TRY(gm_buf_add(&p->waiting, &w, sizeof w, err));
    struct chain *c = chain_at(p, id);
    if (c->last == GM_LABEL_NONE)
        c->first = at;
    else
        waiting_at(p, c->last)->next = at;
    c->last = at;
done:
    gm_post_clear(post);
    return st;
}

/* The first prediction of that id that waits; *has is false when none does. */
static enum gm_status take(struct gm_pairs *p, struct gm_str id, struct gm_post *pred, bool *has,
                           struct gm_error *err)
{
    uint32_t i = gm_labels_find(&p->ids, id);
    *has = i != GM_LABEL_NONE && chain_at(p, i)->first != GM_LABEL_NONE;
    if (!*has)
        return GM_OK;
    struct chain *c = chain_at(p, i);
    struct waiting *w = waiting_at(p, c->first);
    enum gm_status st = unspill(p, w, pred, err);
    *has = st == GM_OK;
    w->is_used = true;
    p->pred_line = w->line;
    c->first = w->next;
    if (c->first == GM_LABEL_NONE)
        c->last = GM_LABEL_NONE;
    return st;
}

static enum gm_status read_pred(struct gm_pairs *p, struct gm_post *pred, bool *has,
                                struct gm_error *err)
{
    *has = false;
    if (p->pred_ended)
        return GM_OK;
    enum gm_status st = gm_reader_next(p->pred, pred, has, err);
    p->pred_ended = st != GM_OK || !*has;
    *has = *has && st == GM_OK;
    p->pred_line = gm_reader_line(p->pred);
    return st;
}

/* The prediction for `gold`; *has false when the file holds none. */
static enum gm_status find(struct gm_pairs *p, const struct gm_post *gold, struct gm_post *pred,
                           bool *has, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *has = false;
    if (!p->by_place)
        GM_TRY(take(p, gold->id, pred, has, err));
    while (!*has) {
        GM_TRY(read_pred(p, pred, has, err));
        if (!*has)
            break;
        if (!p->is_begun)
            p->by_place = !gold->has_id || !pred->has_id;
        p->is_begun = true;
        if (p->by_place || gm_str_eq(gold->id, pred->id))
            break;
        *has = false;
        GM_TRY(keep(p, pred, err));
    }
done:
    return st;
}

/* Predictions that are left over once the gold file has ended. */
static enum gm_status drain(struct gm_pairs *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_post post;
    bool has = true;
    for (size_t i = 0; i < p->waiting.n / sizeof(struct waiting); i++)
        if (!waiting_at(p, i)->is_used)
            note(&p->no_gold, gm_labels_at(&p->ids, waiting_at(p, i)->id), waiting_at(p, i)->line);
    while (has) {
        GM_TRY(read_pred(p, &post, &has, err));
        if (!has)
            break;
        note(&p->no_gold, post.id, gm_reader_line(p->pred));
        gm_post_clear(&post);
    }
done:
    return st;
}

/* All posts must have found a partner. */
static enum gm_status check_complete(struct gm_pairs *p, struct gm_error *err)
{
    enum gm_status st = drain(p, err);
    char gold[256] = "", pred[256] = "";
    if (st != GM_OK || (p->no_pred.n == 0 && p->no_gold.n == 0))
        return st;
    if (p->no_pred.n)
        snprintf(gold, sizeof gold, "%zu gold post%s no prediction (first: id %s, line %zu)",
                 p->no_pred.n, p->no_pred.n == 1 ? " has" : "s have", p->no_pred.id,
                 p->no_pred.line);
    if (p->no_gold.n)
        snprintf(pred, sizeof pred, "%zu predicted post%s not in gold (first: id %s, line %zu)",
                 p->no_gold.n, p->no_gold.n == 1 ? " is" : "s are", p->no_gold.id, p->no_gold.line);
    return GM_FAIL(err, GM_EFORMAT, "%s and %s do not hold the same posts%s: %s%s%s",
                   gm_reader_path(p->gold), gm_reader_path(p->pred),
                   p->by_place ? " (paired by position, as one has no ids)" : "", gold,
                   *gold && *pred ? "; " : "", pred);
}

/* ---- files that hold entities only ---- */

static enum gm_status empty_post(struct gm_post *out, const struct gm_post *like,
                                 struct gm_error *err)
{
    gm_post_init(out);
    out->id = gm_arena_str(&out->arena, like->id);
    out->has_id = out->names_only = out->has_entities = true;
    if (out->id.p)
        return GM_OK;
    gm_post_clear(out);
    return GM_FAIL(err, GM_ENOMEM, "out of memory");
}

/* After the end of gold: the next prediction that no gold post took, beside an empty gold post. */
static enum gm_status next_left(struct gm_pairs *p, struct gm_post *gold, struct gm_post *pred,
                                bool *has, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n = p->waiting.n / sizeof(struct waiting);
    *has = false;
    while (p->n_left < n && waiting_at(p, p->n_left)->is_used)
        p->n_left++;
    if (p->n_left < n) {
        struct waiting *w = waiting_at(p, p->n_left);
        GM_TRY(unspill(p, w, pred, err));
        w->is_used = *has = true;
        p->pred_line = w->line;
    } else {
        GM_TRY(read_pred(p, pred, has, err));
    }
    if (*has) {
        st = empty_post(gold, pred, err);
        *has = st == GM_OK;
        if (st != GM_OK)
            gm_post_clear(pred);
    }
done:
    return st;
}

/* The gold post's prediction is not in its file. */
static enum gm_status lacking(struct gm_pairs *p, struct gm_post *gold, struct gm_post *pred,
                              bool *has, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *has = false;
    p->pred_line = 0;
    if (!p->by_place && gm_format_is_sparse(gm_reader_format(p->pred))) {
        st = empty_post(pred, gold, err);
        *has = st == GM_OK;
    } else {
        note(&p->no_pred, gold->id, gm_reader_line(p->gold));
    }
    if (!*has)
        gm_post_clear(gold);
    return st;
}

enum gm_status gm_pairs_next(struct gm_pairs *p, struct gm_post *gold, struct gm_post *pred,
                             bool *has, struct gm_error *err)
{
    *has = false;
    while (!p->gold_ended) {
        enum gm_status st = gm_reader_next(p->gold, gold, has, err);
        if (st != GM_OK) {
            *has = false;
            return st;
        }
        p->gold_ended = !*has;
        p->gold_line = *has ? gm_reader_line(p->gold) : 0;
        if (p->gold_ended)
            break;
        st = find(p, gold, pred, has, err);
        if (st != GM_OK) {
            gm_post_clear(gold);
            *has = false;
            return st;
        }
        if (!*has)
            st = lacking(p, gold, pred, has, err);
        if (st != GM_OK || *has)
            return st;
    }
    if (gm_format_is_sparse(gm_reader_format(p->gold)) && !p->by_place) {
        enum gm_status st = next_left(p, gold, pred, has, err);
        if (st != GM_OK || *has)
            return st;
    }
    return check_complete(p, err);
}

void gm_pairs_blame(const struct gm_pairs *p, struct gm_error *err)
{
    const char *gold = gm_reader_path(p->gold), *pred = gm_reader_path(p->pred);
    if (p->gold_line && p->pred_line)
        (void)gm_error_prefix(err, "%s:%zu and %s:%zu", gold, p->gold_line, pred, p->pred_line);
    else
        (void)gm_error_prefix(err, "%s:%zu", p->gold_line ? gold : pred,
                              p->gold_line ? p->gold_line : p->pred_line);
}
