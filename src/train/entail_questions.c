/* entail_questions.c - see entail_questions.h. */
#include "train/entail_questions.h"

#include "base/log.h"
#include "formats/captions.h"
#include "formats/voc_xml.h"
#include "train/posts.h"

void gm_questions_init(struct gm_questions *q)
{
    *q = (struct gm_questions){0};
    gm_arena_init(&q->arena, 0);
}

void gm_questions_clear(struct gm_questions *q) { gm_arena_clear(&q->arena); }

static enum gm_status add_post(struct gm_questions *q, const struct gm_entail *e, struct gm_post *p,
                               size_t number, struct gm_pieces *tmp, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_entail_input *inputs;
    GM_TRY(gm_entail_inputs(e, p, tmp, &q->arena, &inputs, err));
    for (size_t i = 0; i < p->n_entities; i++) {
        if (inputs[i].first == inputs[i].end)
            continue;
        bool visible = p->entities[i].n_regions > 0;
        GM_TRY(GM_ARENA_GROW(&q->arena, q->items, q->n, q->cap, err));
        q->items[q->n++] = (struct gm_question){inputs[i], number, visible};
        q->n_visible += visible;
        q->n_captions += inputs[i].caption.n_words > 0;
    }
done:
    return st;
}

/* The file's caption goes before those that the post has. */
static bool take_caption(struct gm_post *p, const struct gm_captions *c)
{
    struct gm_str caption = gm_captions_get(c, p->id);
    if (!caption.n)
        return false;
    p->caption = caption;
    p->caption_short = GM_STR("");
    return true;
}

/* Something is to be told apart. */
static enum gm_status check(const struct gm_questions *q, const char *path, const char *xml,
                            struct gm_error *err)
{
    if (q->n == 0)
        return GM_FAIL(err, GM_EFORMAT, "%s: no entities", path);
    if (q->n_visible > 0 && q->n_visible < q->n)
        return GM_OK;
    return GM_FAIL(
        err, GM_EFORMAT,
        "%s: %s of its %zu entities has a box%s%s, so there is nothing to tell apart; %s", path,
        q->n_visible ? "each" : "none", q->n, xml ? " in " : "", xml ? xml : "",
        xml ? "is that the folder of these posts' XML files?"
            : "`gmner data convert` with boxes (--xml DIR) makes a file that has them");
}

enum gm_status gm_questions_read(struct gm_questions *q, struct gm_entail *e, const char *path,
                                 const char *xml, const char *captions, const char *words,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_posts posts = {0};
    struct gm_captions *c = NULL;
    struct gm_pieces tmp;
    size_t n_captions = 0;
    gm_pieces_init(&tmp);
    if (captions)
        GM_TRY(gm_captions_load(&c, captions, err));
    GM_TRY(gm_posts_read(&posts, path, err));
    if (words)
        e->net.cut = gm_posts_how_cut(&posts, words);
    GM_TRY(gm_posts_cut(&posts, e->net.cut, err));
    for (size_t i = 0; i < posts.n; i++) {
        if (xml)
            GM_TRY(gm_post_add_boxes(&posts.items[i], xml, NULL, err));
        n_captions += take_caption(&posts.items[i], c);
        GM_TRY(add_post(q, e, &posts.items[i], i, &tmp, err));
    }
    if (c && n_captions < posts.n)
        GM_LOG(GM_LOG_WARN, "train", "%s: has captions of %zu of the %zu posts in %s", captions,
               n_captions, posts.n, path);
    st = check(q, path, xml, err);
done:
    gm_pieces_clear(&tmp);
    gm_captions_free(c);
    gm_posts_clear(&posts);
    return st;
}

enum gm_status gm_questions_answer(const struct gm_questions *q, struct gm_entail_session *s,
                                   bool with_caption, double *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_packer *packer = &s->net.packer;
    for (size_t from = 0, to; from < q->n; from = to) {
        gm_packer_reset(packer);
        for (to = from; to < q->n && packer->n_tokens < GM_ENTAIL_BATCH_TOKENS; to++)
            GM_TRY(gm_entail_add(s->e, packer, &q->items[to].in, with_caption, err));
        GM_TRY(gm_entail_answer(s, p + from, err));
    }
done:
    return st;
}
