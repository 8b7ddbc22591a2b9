#include "pipeline/item.h"

#include "base/alloc.h"
#include "base/host.h"
#include "record/image_path.h"
#include "text/segment.h"

#include <string.h>

#define TEXT_MAX ((size_t)1 << 30)

/* Each run of what is no white space has a word at least: a text of millions of words is known
 * without memory for them. */
static bool has_more_runs(struct gm_str text, size_t max)
{
    size_t n = 0;
    bool in_run = false;
    for (size_t i = 0; i < text.n && n <= max; i++) {
        bool space = gm_is_space_byte(text.p[i]);
        n += !space && !in_run;
        in_run = !space;
    }
    return n > max;
}

static enum gm_status check_words(const struct gm_pipeline *p, struct gm_post *post,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_error e;
    struct gm_word *words;
    struct gm_arena a;
    size_t n = post->n_tokens;
    gm_arena_init(&a, 0);
    if (!post->has_tokens && has_more_runs(post->text, p->max_words))
        n = p->max_words + 1;
    else if (!post->has_tokens && post->text.n > p->max_words) /* a word is a byte or more */
        GM_TRY(gm_segment(post->text, GM_CUT_CHARACTERS, &a, &words, &n, err));
    if (n > p->max_words) {
        (void)GM_FAIL(&e, GM_EFORMAT,
                      "a post of over %zu words; cut it into parts, or give a higher %s",
                      p->max_words, gm_option("--max-words"));
        gm_post_fail(post, "input", &e);
    }
done:
    gm_arena_clear(&a);
    return st;
}

enum gm_status gm_pipeline_start_post(const struct gm_pipeline *p, struct gm_post *post,
                                      struct gm_error *err)
{
    if (post->is_refused)
        return GM_OK;
    post->error.stage = post->error.code = post->error.message = GM_STR("");
    if (strcmp(p->stages[0].backend->stage, "tag") == 0) {
        post->entities = NULL;
        post->n_entities = 0;
        post->has_entities = false;
    }
    return check_words(p, post, err);
}

/* The text and how it is cut into words: what every stage sees. */
static enum gm_status hash_base(struct gm_item *item, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_post *post = &item->post;
    struct gm_buf b;
    gm_buf_init(&b, TEXT_MAX);
    GM_TRY(gm_buf_add_str(&b, post->text, err));
    GM_TRY(gm_buf_printf(&b, err, "\n%d", post->has_tokens));
    for (size_t i = 0; i < post->n_tokens; i++)
        GM_TRY(gm_buf_printf(&b, err, " %zu-%zu", post->tokens[i].start, post->tokens[i].end));
    gm_sha256(gm_buf_str(&b), item->base);
done:
    gm_buf_clear(&b);
    return st;
}

enum gm_status gm_item_start(struct gm_pipeline *p, struct gm_item *item, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    item->place = 0;
    item->image[0] = 0;
    GM_TRY(gm_pipeline_start_post(p, &item->post, err));
    if (!p->run)
        return GM_OK;
    GM_TRY(hash_base(item, err));
    GM_TRY(gm_state_take(&item->state, &item->post, err));
done:
    return st;
}

/* An image that can't be read gets a hash of its own: the stage will say what is wrong with it. */
static void hash_image(struct gm_item *item)
{
    struct gm_str path = gm_arena_str(&item->post.arena, item->post.image);
    if (!item->post.image.n || !path.p || gm_sha256_file(path.p, item->image, NULL) != GM_OK)
        gm_sha256(GM_STR(""), item->image);
}

/* The image counts for the stages that look at it or may do so. */
static enum gm_status hash_input(const struct gm_stage *s, struct gm_item *item,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf b;
    bool looks = s->backend->needs_image || s->backend->llm;
    gm_buf_init(&b, TEXT_MAX);
    if (looks && !item->image[0])
        hash_image(item);
    GM_TRY(gm_buf_printf(&b, err, "%s\n%s\n", item->base, looks ? item->image : ""));
    GM_TRY(gm_state_text(&item->state, &b, err));
    gm_sha256(gm_buf_str(&b), item->input);
done:
    gm_buf_clear(&b);
    return st;
}

static struct gm_run_key key_of(const struct gm_pipeline *p, const struct gm_item *item)
{
    return (struct gm_run_key){item->post.id, p->stages[item->place].backend->stage, item->config,
                               item->input};
}

/* Take the stage's result from the run folder, if it is there. */
static enum gm_status look_up(struct gm_pipeline *p, struct gm_item *item, bool *found,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_stage *s = &p->stages[item->place];
    struct gm_buf diff;
    gm_buf_init(&diff, TEXT_MAX);
    GM_TRY(gm_stage_config(p, s, &item->config, err));
    GM_TRY(hash_input(s, item, err));
    const struct gm_run_key key = key_of(p, item);
    GM_TRY(gm_run_get(p->run, &key, &diff, found, err));
    if (*found) {
        GM_TRY(gm_state_apply(&item->post, gm_buf_str(&diff), err));
        GM_TRY(gm_state_take(&item->state, &item->post, err));
    }
done:
    gm_buf_clear(&diff);
    return st;
}

/* A stage that does not work on the post may say why. What it says is part of what the stages after
 * it see. */
static enum gm_status pass_by(struct gm_pipeline *p, struct gm_item *item, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_backend *b = p->stages[item->place].backend;
    if (item->post.error.stage.n || !b->pass_by)
        return GM_OK;
    GM_TRY(b->pass_by(&item->post, err));
    if (p->run)
        GM_TRY(gm_state_take(&item->state, &item->post, err));
done:
    return st;
}

enum gm_status gm_item_advance(struct gm_pipeline *p, struct gm_item *item, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (; item->place < p->n_stages; item->place++) {
        bool found = false;
        if (!gm_stage_needs(&p->stages[item->place], &item->post)) {
            GM_TRY(pass_by(p, item, err));
            continue;
        }
        if (p->run)
            GM_TRY(look_up(p, item, &found, err));
        if (!found)
            break;
    }
done:
    return st;
}

/* What the stage has done to one post, as a row to store; the item's state becomes the new one. */
static enum gm_status result_of(struct gm_pipeline *p, struct gm_item *item,
                                struct gm_run_result *out, struct gm_buf *diff,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_state now;
    gm_state_init(&now);
    gm_buf_init(diff, TEXT_MAX);
    *out = (struct gm_run_result){.key = key_of(p, item)};
    if (item->post.error.stage.n) {
        out->error = item->post.error.message;
        goto done;
    }
    GM_TRY(gm_state_take(&now, &item->post, err));
    GM_TRY(gm_state_diff(&item->state, &now, diff, err));
    out->state = gm_buf_str(diff);
    gm_state_clear(&item->state);
    item->state = now;
    gm_state_init(&now);
done:
    gm_state_clear(&now);
    return st;
}

enum gm_status gm_items_store(struct gm_pipeline *p, struct gm_item **items, size_t n,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_run_result *results = gm_alloc(n, sizeof *results);
    struct gm_buf *diffs = gm_alloc(n, sizeof *diffs);
    if (!results || !diffs) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    for (size_t i = 0; p->run && i < n; i++)
        GM_TRY(result_of(p, items[i], &results[i], &diffs[i], err));
    if (p->run)
        GM_TRY(gm_run_put(p->run, results, n, err));
    for (size_t i = 0; i < n; i++)
        items[i]->place++;
done:
    for (size_t i = 0; diffs && i < n; i++)
        gm_buf_clear(&diffs[i]);
    gm_free(diffs);
    gm_free(results);
    return st;
}

/* The absolute path of an image that the record names by a relative one. */
static enum gm_status absolute_image(struct gm_item *item, struct gm_str *out, struct gm_error *err)
{
    struct gm_post *post = &item->post;
    struct gm_str given = GM_STR("");
    *out = (struct gm_str){NULL, 0};
    (void)gm_json_str(gm_json_get(post->source, "image"), &given);
    if (!post->image.n || gm_str_starts(given, GM_STR("/")))
        return GM_OK;
    *out = gm_image_absolute(&post->arena, post->image);
    return out->p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

enum gm_status gm_item_output(struct gm_pipeline *p, struct gm_item *item, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf record;
    if (!p->run)
        return GM_OK;
    struct gm_run_output o = {.pos = item->pos, .post = item->post.id};
    gm_buf_init(&record, TEXT_MAX);
    if (item->post.error.stage.n)
        o.error = item->post.error.message;
    GM_TRY(gm_post_to_json(&item->post, &record, err));
    o.record = gm_buf_str(&record);
    GM_TRY(absolute_image(item, &o.image, err));
    GM_TRY(gm_run_output(p->run, &o, err));
done:
    gm_buf_clear(&record);
    return st;
}

void gm_item_clear(struct gm_item *item)
{
    gm_post_clear(&item->post);
    gm_state_clear(&item->state);
}
