/* gmner guide: what annotated posts tell of their entity types, as a YAML file for prompts. */
#include "base/file.h"
#include "base/log.h"
#include "cli/cmd_data.h"
#include "corpus/guide_count.h"
#include "corpus/type_definitions.h"
#include "image/image.h"

struct opts {
    struct gm_data_opts data; /* what it shares with `gmner data` */
    const char *fine, *types, *output;
};

/* Records do not say how large their pictures are, which a box's share is of. One that can't be read is told of,
 * and nothing is said of its boxes. */
static enum gm_status read_size(struct gm_post *post, bool *is_read, struct gm_error *err)
{
    struct gm_image *im = NULL;
    struct gm_error why;
    size_t n_regions = 0;
    uint32_t size[2] = {0, 0};
    *is_read = true;
    for (size_t i = 0; i < post->n_entities; i++)
        n_regions += post->entities[i].n_regions;
    if (post->image_w || !post->image.n || n_regions == 0)
        return GM_OK;
    struct gm_str path = gm_arena_str(&post->arena, post->image); /* ended by NUL */
    if (!path.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    enum gm_status st = gm_image_load_small(&im, path.p, 1, size, &why);
    gm_image_free(im);
    if (st != GM_OK && st != GM_EIO && st != GM_EFORMAT)
        return GM_FAIL(err, st, "%s", why.msg);
    *is_read = st == GM_OK;
    if (st == GM_OK) {
        post->image_w = size[0];
        post->image_h = size[1];
    } else {
        GM_LOG(GM_LOG_WARN, "guide", "post %.*s: how large its boxes are is not known: %s",
               GM_STR_ARG(post->id), why.msg);
    }
    return GM_OK;
}

/* Posts on their way into the counts. */
struct counting {
    struct gm_guide_count *c;
    size_t n_bad; /* posts and pictures that can't be read */
};

static enum gm_status add(void *ctx, struct gm_post *post, struct gm_error *err)
{
    struct counting *w = ctx;
    bool is_read;
    enum gm_status st = read_size(post, &is_read, err);
    w->n_bad += st == GM_OK && !is_read;
    return st == GM_OK ? gm_guide_count_add(w->c, post, err) : st;
}

static enum gm_status add_fine(void *ctx, struct gm_post *post, struct gm_error *err)
{
    const struct counting *w = ctx;
    return gm_guide_count_fine(w->c, post, err);
}

static enum gm_status read_posts(const char *path, const struct gm_data_opts *o,
                                 enum gm_status (*fn)(void *ctx, struct gm_post *post,
                                                      struct gm_error *err),
                                 struct counting *w, struct gm_error *err)
{
    struct gm_data_in in = {0};
    enum gm_status st = gm_data_in_open(&in, path, o, err);
    if (st == GM_OK)
        st = gm_data_in_each(&in, fn, w, &w->n_bad, err);
    if (st == GM_OK)
        gm_losses_tell(&in.lost, "guide", "not read");
    gm_data_in_close(&in);
    return st;
}

/* A definition that no post can use is a misspelt type. */
static void warn_of_unused(const struct gm_json *definitions, const struct gm_guide_count *c)
{
    for (void *it = gm_json_first(definitions); it; it = gm_json_next(definitions, it)) {
        bool used = false;
        for (uint32_t i = 0; i < c->types.n && !used; i++) {
            struct gm_str coarse, fine;
            (void)gm_str_cut(gm_labels_at(&c->types, i), '\t', &coarse, &fine);
            used = gm_str_eq(gm_json_key(it), fine.n ? fine : coarse);
        }
        if (!used)
            GM_LOG(GM_LOG_WARN, "guide", "no entity has the type \"%s\" of --types",
                   gm_json_key(it).p);
    }
}

static enum gm_exit run(const void *options, const struct gm_args *args, struct gm_error *err)
{
    const struct opts *o = options;
    enum gm_status st = GM_OK;
    struct gm_guide_count c;
    struct gm_json *definitions = NULL;
    struct gm_data_opts plain = {.from = "auto"};
    struct gm_buf text;
    struct counting w = {.c = &c};
    gm_guide_count_init(&c);
    gm_buf_init(&text, (size_t)1 << 24);
    if (o->types)
        GM_TRY(gm_type_definitions_load(&definitions, o->types, false, err));
    if (o->fine)
        GM_TRY(read_posts(o->fine, &plain, add_fine, &w, err));
    GM_TRY(read_posts(args->v[0], &o->data, add, &w, err));
    if (c.n_entities == 0) {
        st = GM_FAIL(err, GM_EFORMAT, "%s: no post has an entity; a guide needs annotated posts",
                     args->v[0]);
        goto done;
    }
    warn_of_unused(definitions, &c);
    GM_TRY(gm_guide_count_write(&c, definitions, &text, err));
    st = o->output ? gm_file_write(o->output, gm_buf_str(&text), err)
                   : gm_print(gm_buf_str(&text), err);
done:
    gm_json_free(definitions);
    gm_guide_count_clear(&c);
    gm_buf_clear(&text);
    return st == GM_OK && w.n_bad ? GM_EXIT_SOME : gm_exit_of(st);
}

#define DATA(field) offsetof(struct opts, data.field)

static const struct gm_option options[] = {
    {"xml", 0, GM_OPT_STR, DATA(xml), NULL, 0, 0, "DIR",
     "folder of Pascal VOC boxes that belong to the posts"},
    {"fine", 0, GM_OPT_STR, offsetof(struct opts, fine), NULL, 0, 0, "FILE",
     "the same posts with fine types (a third column), for what is known of those"},
    {"types", 0, GM_OPT_STR, offsetof(struct opts, types), NULL, 0, 0, "FILE",
     "definitions of your own: YAML lines \"TYPE: definition\"; the types of Twitter-GMNER, "
     "Twitter-FMNERG and CCKS-2025 have built-in ones"},
    {"images", 0, GM_OPT_STR, DATA(images), NULL, 0, 0, "DIR",
     "folder of the images, which are read where nothing else tells how large they are"},
    {"from", 0, GM_OPT_CHOICE, DATA(from), "auto", 0, 0, GM_READABLE_FORMATS,
     "format of the posts; auto looks at their content"},
    {"text", 0, GM_OPT_STR, DATA(text), NULL, 0, 0, "FILE",
     "file with the posts' texts, for formats without (RiVEG, CCKS entities, VOC, COCO)"},
    {"output", 'o', GM_OPT_STR, offsetof(struct opts, output), NULL, 0, 0, "FILE",
     "write the guide to FILE (default: standard output)"},
    GM_OPTION_END,
};

const struct gm_command gm_cmd_guide = {
    .name = "guide",
    .summary = "draw from annotated posts what language models are told of their types",
    .usage = "FILE [--xml DIR] [--fine FILE] [--types FILE] [-o guide.yaml]",
    .about =
        "Counts, for each type and fine type, how often it occurs and under which names, how many of "
        "its entities are in the image, how large their boxes mostly are and how many have several, "
        "and how many handles and hashtags are entities; and puts a definition beside it. Stages that "
        "ask a language model take the file as their setting `guide` and say it in their prompts "
        "({{guide}}, {{type_definition}}): docs/llm.md. It may be changed by hand.",
    .examples = "gmner guide train.txt --xml xml -o guide.yaml\n"
                "gmner guide train.jsonl --types definitions.yaml -o guide.yaml\n",
    .options = options,
    .opts_size = sizeof(struct opts),
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
