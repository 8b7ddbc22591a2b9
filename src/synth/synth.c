/* synth.c - the run: requests in order, a window of them in flight, answers taken in that order, and a second
 * pass over what was refused. */
#include "synth/synth.h"

#include "base/alloc.h"
#include "base/troubles.h"
#include "ner/tagger.h"
#include "synth/ask.h"
#include "synth/judge.h"
#include "synth/pool.h"
#include "synth/quota.h"
#include "synth/written.h"

#include <stdio.h>

/* What a refused sentence is told of when it is asked for again, and a request's answers ahead of the one
 * that is waited for. */
enum { MAX_PROBLEMS = 4, MAX_PROBLEM_BYTES = 300, WINDOW = 4, POLL_MS = 200, MAX_LINE = 1 << 24 };

/* One place of the window. */
struct slot {
    bool is_done, is_skipped;
    struct gm_llm_reply reply;
};

struct gm_synth {
    struct gm_synth_opts opts;
    struct gm_synth_seeds seeds;
    struct gm_synth_pool pool;
    struct gm_synth_quota quota;
    struct gm_synth_asker asker;
    struct gm_tagger *tagger;
    struct gm_tagger_session *session; /* NULL = no tagger */
    struct gm_synth_task *tasks;
    size_t n_tasks, n_done, n_to_do;
    struct gm_arena arena, work; /* of the run; of the answer in hand */
    struct gm_synth_counts counts;
    const struct gm_synth_sink *sink; /* of the run, as all below */
    struct gm_llm *llm;
    struct gm_llm_mailbox *box;
    struct slot *slots;
    size_t n_slots;
    bool is_stopping;
    struct gm_troubles troubles; /* requests without an answer */
};

/* ---- what there is to do ---- */

static enum gm_status plan(struct gm_synth *s, struct gm_error *err)
{
    size_t cap = 0, n = 0, batch = s->opts.batch;
    for (uint32_t i = 0; i < s->seeds.n; i++)
        for (int k = 0; k < GM_SYNTH_KINDS; k++) {
            bool has_names = s->seeds.items[i].n_names > 0;
            bool fits = k == GM_SYNTH_REWRITE || has_names == (k != GM_SYNTH_NONE);
            size_t left = fits ? s->opts.n[k] : 0;
            for (uint32_t part = 0; left; part++) {
                size_t some = left < batch ? left : batch;
                enum gm_status st = GM_GROW(s->tasks, n, cap, err);
                if (st != GM_OK)
                    return st;
                s->tasks[n++] = (struct gm_synth_task){
                    .seed = i, .kind = (enum gm_synth_kind)k, .part = part, .n = some};
                left -= some;
            }
        }
    s->n_tasks = s->n_to_do = n;
    return GM_OK;
}

enum gm_status gm_synth_new(struct gm_synth **out, const struct gm_synth_opts *opts,
                            struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_tagger_opts tagging = {.precision = opts->precision};
    struct gm_synth *s = gm_alloc(1, sizeof *s);
    *out = NULL;
    if (!s)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    s->opts = *opts;
    gm_arena_init(&s->arena, 0);
    gm_arena_init(&s->work, 0);
    GM_TRY(gm_synth_asker_open(&s->asker, err));
    GM_TRY(gm_synth_seeds_load(&s->seeds, opts->seeds, opts->types, opts->guide, err));
    GM_TRY(gm_synth_quota_read(&s->quota, opts->quota, &s->seeds.types, &s->arena, err));
    GM_TRY(gm_synth_pool_load(&s->pool, opts, &s->seeds, err));
    if (opts->tagger) {
        GM_TRY(gm_tagger_load(&s->tagger, opts->tagger, &tagging, err));
        GM_TRY(gm_tagger_session_new(&s->session, s->tagger, err));
    }
    GM_TRY(plan(s, err));
    s->counts.n_seeds = s->seeds.n;
    *out = s;
    s = NULL;
done:
    gm_synth_free(s);
    return st;
}

void gm_synth_free(struct gm_synth *s)
{
    if (!s)
        return;
    gm_synth_asker_close(&s->asker);
    gm_synth_seeds_clear(&s->seeds);
    gm_synth_pool_clear(&s->pool);
    gm_tagger_session_free(s->session);
    gm_tagger_free(s->tagger);
    gm_free(s->tasks);
    gm_arena_clear(&s->arena);
    gm_arena_clear(&s->work);
    gm_free(s);
}

const struct gm_synth_counts *gm_synth_counts(const struct gm_synth *s) { return &s->counts; }

/* ---- one answer ---- */

struct candidate {
    struct gm_synth_sentence sentence;
    enum gm_synth_reason why;
    struct gm_post post; /* of one that fitted by itself */
    bool has_post;
    double outside;
};

/* Where a sentence comes from. */
static struct gm_json *origin_of(const struct gm_synth *s, const struct gm_synth_task *task)
{
    struct gm_str version =
        gm_str_sub(gm_str(gm_prompt_version(s->asker.prompts[task->kind])), 0, 12);
    struct gm_json *o = gm_json_new_object();
    bool ok = o && gm_json_set(o, "seed", gm_json_new_str(s->seeds.items[task->seed].id)) &&
              gm_json_set(o, "kind", gm_json_new_str(gm_str(gm_synth_kind(task->kind)))) &&
              gm_json_set(o, "ask", gm_json_new_int(task->is_again ? 2 : 1)) &&
              gm_json_set(o, "prompt", gm_json_new_str(version));
    if (ok && s->opts.model)
        ok = gm_json_set(o, "model", gm_json_new_str(gm_str(s->opts.model)));
    if (!ok)
        gm_json_free(o);
    return ok ? o : NULL;
}

/* "17.k1.3": the third sentence of the first request of post 17 that keeps its entities; "17.k1r.3" of the
 * one that asked again; "17.s2.k1.3" where the run's seed is 2. */
static struct gm_str id_of(struct gm_synth *s, const struct gm_synth_task *task, size_t i)
{
    char run[32] = "";
    if (s->opts.seed != 1)
        snprintf(run, sizeof run, ".s%.0f", s->opts.seed);
    return gm_arena_printf(&s->work, "%.*s%s.%c%u%s.%zu", GM_STR_ARG(s->seeds.items[task->seed].id),
                           run, gm_synth_kind(task->kind)[0], (unsigned)task->part + 1,
                           task->is_again ? "r" : "", i + 1);
}

static enum gm_status read_candidates(struct gm_synth *s, const struct gm_synth_task *task,
                                      const struct gm_json *list, struct candidate *c, size_t n,
                                      struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < n; i++) {
        GM_TRY(gm_synth_sentence_read(&s->seeds, &s->seeds.items[task->seed], task->kind, &s->opts,
                                      gm_json_at(list, i), &s->work, &c[i].sentence, &c[i].why,
                                      err));
        if (c[i].why != GM_SYNTH_FITS)
            continue;
        struct gm_str id = id_of(s, task, i);
        struct gm_json *origin = id.p ? origin_of(s, task) : NULL;
        if (!origin)
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
        c[i].has_post = true;
        GM_TRY(
            gm_synth_sentence_post(&c[i].sentence, &s->seeds.types, id, origin, &c[i].post, err));
    }
done:
    return st;
}

/* All of an answer in one batch. */
static enum gm_status judge_candidates(struct gm_synth *s, struct candidate *c, size_t n,
                                       struct gm_error *err)
{
    struct gm_post **posts = gm_arena_alloc(&s->work, n, sizeof *posts);
    double *outside = gm_arena_alloc(&s->work, n, sizeof *outside);
    size_t n_posts = 0;
    if (!posts || !outside)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        if (c[i].has_post)
            posts[n_posts++] = &c[i].post;
    enum gm_status st = gm_tagger_judge(s->session, posts, n_posts, outside, err);
    for (size_t i = 0, k = 0; i < n && st == GM_OK; i++)
        if (c[i].has_post)
            c[i].outside = outside[k++];
    return st;
}

/* The checks that go by what was accepted before. */
static enum gm_status check_rest(struct gm_synth *s, const struct gm_synth_task *task,
                                 struct candidate *c, bool *marked, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *marked = false;
    if (task->n_accepted >= task->n)
        c->why = GM_SYNTH_SURPLUS;
    if (c->why == GM_SYNTH_FITS)
        GM_TRY(gm_synth_pool_find(&s->pool, c->sentence.text, &c->why, err));
    if (c->why == GM_SYNTH_FITS && gm_synth_quota_is_full(&s->quota, &c->sentence))
        c->why = GM_SYNTH_QUOTA;
    if (c->why == GM_SYNTH_FITS && s->session)
        st = gm_synth_judge(&s->opts, &c->post, c->outside, &c->why, marked, err);
done:
    return st;
}

static enum gm_status accept(struct gm_synth *s, struct gm_synth_task *task, struct candidate *c,
                             bool marked, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_synth_pool_add(&s->pool, c->sentence.text, err));
    gm_synth_quota_add(&s->quota, &c->sentence);
    task->n_accepted++;
    s->counts.accepted[task->kind]++;
    s->counts.n_marked += marked;
    st = s->sink->accept(s->sink->user, &c->post, err);
done:
    return st;
}

/* A line for the file of refused sentences: what was said (item; NULL = nothing) and why not. */
static enum gm_status write_reject(struct gm_synth *s, const struct gm_synth_task *task,
                                   enum gm_synth_reason why, const char *detail,
                                   const struct gm_json *item, struct gm_error *err)
{
    struct gm_buf line;
    struct gm_json *o = origin_of(s, task);
    static const char *const members[] = {"text", "entities", "knowledge"};
    gm_buf_init(&line, MAX_LINE);
    bool ok = o && gm_json_set(o, "reason", gm_json_new_str(gm_str(gm_synth_reason(why))));
    if (ok && detail)
        ok = gm_json_set(o, "detail", gm_json_new_str(gm_str(detail)));
    for (size_t i = 0; i < sizeof members / sizeof *members && ok; i++) {
        struct gm_json *said = gm_json_get(item, members[i]);
        ok = !said || gm_json_set(o, members[i], gm_json_ref(said));
    }
    enum gm_status st =
        ok ? gm_json_write(o, false, &line, err) : GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (st == GM_OK)
        st = gm_buf_add_c(&line, "\n", err);
    if (st == GM_OK)
        st = s->sink->reject(s->sink->user, gm_buf_str(&line), err);
    gm_json_free(o);
    gm_buf_clear(&line);
    return st;
}

static enum gm_status refuse(struct gm_synth *s, struct gm_synth_task *task,
                             const struct candidate *c, const struct gm_json *item,
                             struct gm_buf *problems, size_t *n_problems, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    s->counts.refused[c->why]++;
    task->refused = true;
    if (gm_synth_advice(c->why) && *n_problems < MAX_PROBLEMS &&
        c->sentence.text.n <= MAX_PROBLEM_BYTES) {
        GM_TRY(gm_buf_printf(problems, err, "%s- %.*s: %s", problems->n ? "\n" : "",
                             GM_STR_ARG(c->sentence.text), gm_synth_advice(c->why)));
        ++*n_problems;
    }
    st = write_reject(s, task, c->why, NULL, item, err);
done:
    return st;
}

static enum gm_status take_sentences(struct gm_synth *s, struct gm_synth_task *task,
                                     const struct gm_json *list, struct candidate *c, size_t n,
                                     struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf problems;
    size_t n_problems = 0;
    gm_buf_init(&problems, MAX_PROBLEMS * 2 * MAX_PROBLEM_BYTES);
    GM_TRY(read_candidates(s, task, list, c, n, err));
    if (s->session)
        GM_TRY(judge_candidates(s, c, n, err));
    for (size_t i = 0; i < n; i++) {
        bool marked = false;
        if (c[i].why == GM_SYNTH_FITS)
            GM_TRY(check_rest(s, task, &c[i], &marked, err));
        GM_TRY(c[i].why == GM_SYNTH_FITS
                   ? accept(s, task, &c[i], marked, err)
                   : refuse(s, task, &c[i], gm_json_at(list, i), &problems, &n_problems, err));
    }
    if (n_problems && !task->is_again) {
        task->problems = gm_arena_str(&s->arena, gm_buf_str(&problems));
        if (!task->problems.p)
            st = GM_FAIL(err, GM_ENOMEM, "out of memory");
    }
done:
    gm_buf_clear(&problems);
    return st;
}

static enum gm_status take_answer(struct gm_synth *s, struct gm_synth_task *task,
                                  const struct gm_llm_reply *r, struct gm_error *err)
{
    const struct gm_json *list = gm_json_get(r->value, "sentences");
    size_t n = gm_json_count(list);
    gm_arena_reset(&s->work);
    struct candidate *c = gm_arena_alloc(&s->work, n, sizeof *c);
    if (!c)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu sentences", n);
    enum gm_status st = take_sentences(s, task, list, c, n, err);
    for (size_t i = 0; i < n; i++)
        if (c[i].has_post)
            gm_post_clear(&c[i].post);
    return st;
}

/* A whole request came to nothing: the model's fault, or the network's. */
static enum gm_status take_failure(struct gm_synth *s, const struct gm_synth_task *task,
                                   const struct gm_llm_reply *r, struct gm_error *err)
{
    if (r->st == GM_EFORMAT) {
        s->counts.refused[GM_SYNTH_NO_ANSWER]++;
        return write_reject(s, task, GM_SYNTH_NO_ANSWER, r->err.msg, NULL, err);
    }
    s->counts.n_failed++;
    char of[128];
    snprintf(of, sizeof of, "post %.*s (%s): no answer", GM_STR_ARG(s->seeds.items[task->seed].id),
             gm_synth_kind(task->kind));
    gm_troubles_tell(&s->troubles, "synth", of, r->err.msg);
    return GM_OK;
}

static enum gm_status take(struct gm_synth *s, struct gm_synth_task *task, struct slot *slot,
                           struct gm_error *err)
{
    const struct gm_llm_reply *r = &slot->reply;
    enum gm_status st = GM_OK;
    if (slot->is_skipped || gm_llm_is_dry(s->llm))
        return GM_OK;
    if (r->stopped) {
        if (err)
            *err = r->err;
        return r->st;
    }
    st = r->st == GM_OK ? take_answer(s, task, r, err) : take_failure(s, task, r, err);
    return st;
}

/* ---- the window ---- */

static void slot_clear(struct slot *slot)
{
    if (slot->is_done && !slot->is_skipped)
        gm_llm_reply_clear(&slot->reply);
    *slot = (struct slot){.is_done = false};
}

static enum gm_status send(struct gm_synth *s, const struct gm_synth_task *task, struct slot *slot,
                           struct gm_error *err)
{
    if (gm_synth_quota_stops(&s->quota, &s->seeds.items[task->seed], task->kind)) {
        slot->is_done = slot->is_skipped = true;
        s->counts.n_skipped++;
        return GM_OK;
    }
    s->counts.n_requests++;
    s->counts.n_again += task->is_again;
    return gm_synth_ask(&s->asker, s->box, &s->opts, &s->seeds, task, slot, err);
}

static void wait_for(struct gm_synth *s, const struct slot *slot)
{
    struct gm_llm_reply reply;
    while (!slot->is_done) {
        if (!s->is_stopping && s->sink->should_stop(s->sink->user)) {
            s->is_stopping = true;
            gm_llm_drain(s->llm, GM_LLM_GRACE_S);
        }
        s->sink->progress(s->sink->user, s->n_done, s->n_to_do, &s->counts);
        if (gm_llm_poll(s->box, POLL_MS, &reply)) {
            struct slot *mine = reply.user;
            mine->reply = reply;
            mine->is_done = true;
        }
    }
}

/* The tasks of a list, at most a window of them ahead of the one whose answer is due. */
static enum gm_status run_tasks(struct gm_synth *s, struct gm_synth_task *const *tasks, size_t n,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n_sent = 0;
    for (size_t i = 0; i < n; i++) {
        struct slot *slot = &s->slots[i % s->n_slots];
        for (; n_sent < n && n_sent < i + s->n_slots; n_sent++)
            GM_TRY(send(s, tasks[n_sent], &s->slots[n_sent % s->n_slots], err));
        wait_for(s, slot);
        GM_TRY(take(s, tasks[i], slot, err));
        slot_clear(slot);
        s->n_done++;
    }
done:
    return st;
}

/* What was refused is asked for once more. */
static size_t pick_again(struct gm_synth *s, struct gm_synth_task **list)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_tasks; i++) {
        struct gm_synth_task *t = &s->tasks[i];
        if (!t->refused || t->n_accepted >= t->n)
            continue;
        t->is_again = true;
        list[n++] = t;
    }
    return n;
}

enum gm_status gm_synth_run(struct gm_synth *s, struct gm_llm *llm,
                            const struct gm_synth_sink *sink, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_synth_task **list = gm_alloc(s->n_tasks, sizeof *list);
    s->sink = sink;
    s->llm = llm;
    s->n_slots = WINDOW * gm_llm_in_flight(llm);
    s->slots = gm_alloc(s->n_slots, sizeof *s->slots);
    if (!list || !s->slots) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for %zu requests", s->n_tasks);
        goto done;
    }
    GM_TRY(gm_llm_mailbox_new(&s->box, llm, err));
    for (size_t i = 0; i < s->n_tasks; i++)
        list[i] = &s->tasks[i];
    GM_TRY(run_tasks(s, list, s->n_tasks, err));
    size_t n_again = pick_again(s, list);
    s->n_to_do += n_again;
    st = run_tasks(s, list, n_again, err);
done:
    gm_troubles_end(&s->troubles, "synth");
    gm_llm_mailbox_free(s->box);
    for (size_t i = 0; s->slots && i < s->n_slots; i++)
        slot_clear(&s->slots[i]);
    gm_free(s->slots);
    gm_free(list);
    return st;
}
