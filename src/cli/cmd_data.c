/* gmner data: convert, check, count and split annotated files. */
#include "cli/cmd_data.h"

#include "base/log.h"
#include "formats/voc_xml.h"
#include "formats/writer.h"

#include <stdio.h>
#include <string.h>

enum { MAX_IDS = 100000000 };

enum gm_status gm_data_in_open(struct gm_data_in *in, const char *path,
                               const struct gm_data_opts *o, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *in = (struct gm_data_in){.xml = o->xml, .is_quiet = o->is_quiet};
    struct gm_reader_opts ro = {
        .images_dir = o->images, .lost = &in->lost, .keeps_bad_boxes = o->keeps_bad_boxes};
    (void)gm_format_parse(o->from, &ro.format); /* the option table lists what it knows */
    if (o->text)
        GM_TRY(gm_texts_load(&in->texts, o->text, err));
    if (o->captions)
        GM_TRY(gm_captions_load(&in->captions, o->captions, err));
    gm_labels_init(&in->ids, MAX_IDS);
    if (o->captions_short)
        GM_TRY(gm_captions_load(&in->captions_short, o->captions_short, err));
    ro.texts = in->texts;
    GM_TRY(gm_reader_open(&in->reader, path, &ro, err));
    if (ro.format == GM_FORMAT_AUTO && !in->is_quiet)
        GM_LOG(GM_LOG_INFO, "data", "%s: read as %s (--from %s)", gm_reader_path(in->reader),
               gm_format_title(gm_reader_format(in->reader)),
               gm_format_name(gm_reader_format(in->reader)));
done:
    if (st != GM_OK)
        gm_data_in_close(in);
    return st;
}

void gm_data_in_close(struct gm_data_in *in)
{
    gm_reader_free(in->reader);
    gm_texts_free(in->texts);
    gm_captions_free(in->captions);
    gm_captions_free(in->captions_short);
    gm_labels_clear(&in->ids);
    in->reader = NULL;
    in->texts = NULL;
    in->captions = in->captions_short = NULL;
}

static enum gm_status add_beside(struct gm_data_in *in, struct gm_post *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    uint32_t id;
    if (in->captions || in->captions_short)
        GM_TRY(gm_labels_add(&in->ids, p->id, &id, err));
    GM_TRY(gm_captions_copy(in->captions, p->id, &p->arena, &p->caption, err));
    GM_TRY(gm_captions_copy(in->captions_short, p->id, &p->arena, &p->caption_short, err));
    if (in->xml)
        GM_TRY(gm_post_add_boxes(p, in->xml, &in->lost, err));
done:
    return st;
}

enum gm_status gm_data_in_next(struct gm_data_in *in, struct gm_post *post, bool *has,
                               struct gm_error *err)
{
    enum gm_status st = gm_reader_next(in->reader, post, has, err);
    if (st == GM_OK && !*has) {
        gm_captions_unused(in->captions, &in->ids, "captions of no post", &in->lost);
        gm_captions_unused(in->captions_short, &in->ids, "short captions of no post", &in->lost);
    }
    if (st != GM_OK || !*has)
        return st;
    st = add_beside(in, post, err);
    if (st != GM_OK)
        gm_post_clear(post);
    return st;
}

enum gm_status gm_data_in_each(struct gm_data_in *in,
                               enum gm_status (*fn)(void *ctx, struct gm_post *post,
                                                    struct gm_error *err),
                               void *ctx, size_t *n_bad, struct gm_error *err)
{
    for (;;) {
        struct gm_post post;
        struct gm_error e;
        bool has;
        enum gm_status st = gm_data_in_next(in, &post, &has, &e);
        if (!has) {
            gm_troubles_end(&in->troubles, "data");
            if (st != GM_OK && err)
                *err = e;
            return st;
        }
        if (st != GM_OK) {
            if (!in->is_quiet)
                gm_troubles_tell(&in->troubles, "data", NULL, e.msg);
            ++*n_bad;
            continue;
        }
        st = fn(ctx, &post, err);
        gm_post_clear(&post);
        if (st != GM_OK)
            return st;
    }
}

static const struct gm_option_readers readers[] = {
    {"to", "convert|split|select"},
    {"scheme", "convert|split"},
    {"separator", "convert|split"},
    {"image-prefix", "convert|select"},
    {"masks", "convert"},
    {"pictures", "convert"},
    {"similarity", "check|select"},
    {"types", "check"},
    {"svg", "stats"},
    {"by", "select"},
    {"pred", "select"},
    {"known", "select"},
    {"n", "select"},
    {"output", "select"},
    {"parts", "split"},
    {"out-dir", "split"},
    {"seed", "split"},
    {"json", "check|stats"},
    {"all", "check"},
    {NULL, NULL},
};

enum gm_exit gm_data_check_output(const char *verb, const char *in, const char *to,
                                  enum gm_format format, const struct gm_data_opts *o,
                                  const struct gm_args *args, struct gm_error *err)
{
    static const struct gm_option_readers of_formats[] = {
        {"scheme", "--to conll|--to fmnerg"},    {"separator", "--to conll|--to fmnerg"},
        {"image-prefix", "--to labelstudio"},    {"masks", "--to coco"},
        {"pictures", "--to ofa-ve|--to ofa-vg"}, {NULL, NULL},
    };
    const char *const read[] = {in, o->text, o->xml, o->captions, o->captions_short, o->known};
    char command[32], target[40];
    snprintf(command, sizeof command, "data %s", verb);
    snprintf(target, sizeof target, "--to %s", gm_format_name(format));
    if (gm_options_check_verb(of_formats, command, target, args, err) != GM_OK)
        return GM_EXIT_USAGE;
    for (size_t i = 0; i < sizeof read / sizeof *read; i++)
        if (gm_output_spares(command, to, read[i], err) != GM_EXIT_DONE)
            return GM_EXIT_USAGE;
    return GM_EXIT_DONE;
}

static enum gm_exit run(const void *options, const struct gm_args *args, struct gm_error *err)
{
    static const struct {
        const char *verb;
        size_t min_files, max_files;
        enum gm_exit (*run)(const struct gm_data_opts *o, const struct gm_args *args,
                            struct gm_error *err);
        const char *takes;
    } verbs[] = {{"convert", 2, 2, gm_data_convert, "IN and OUT"},
                 {"check", 1, 62, gm_data_check, "one or more"},
                 {"stats", 1, 1, gm_data_stats, "one"},
                 {"split", 1, 1, gm_data_split, "one"},
                 {"select", 0, 0, gm_data_select, "predictions as --pred FILE"}};
    size_t n_files = args->n - 1;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(args->v[0], verbs[i].verb) != 0)
            continue;
        if (n_files < verbs[i].min_files || n_files > verbs[i].max_files)
            return GM_USAGE(err,
                            "data %s: %zu file%s given, but it takes %s; see `gmner data --help`",
                            args->v[0], n_files, n_files == 1 ? "" : "s", verbs[i].takes);
        if (gm_options_check_verb(readers, "data", args->v[0], args, err) != GM_OK)
            return GM_EXIT_USAGE;
        return verbs[i].run(options, args, err);
    }
    return GM_USAGE(err, "data: \"%s\" is none of convert, check, stats, split, select",
                    args->v[0]);
}

#define OPT(field) offsetof(struct gm_data_opts, field)

static const struct gm_option options[] = {
    {"from", 0, GM_OPT_CHOICE, OPT(from), "auto", 0, 0, GM_READABLE_FORMATS,
     "format of the input; auto looks at its content"},
    {"to", 0, GM_OPT_CHOICE, OPT(to), "auto", 0, 0, GM_WRITABLE_FORMATS,
     "convert, split, select: format of the output; auto goes by its name (.jsonl, .conll, .txt, a folder), of split by the input"},
    {"text", 0, GM_OPT_STR, OPT(text), NULL, 0, 0, "FILE",
     "file with the posts' texts, for formats without (RiVEG, CCKS entities, VOC, COCO)"},
    {"images", 0, GM_OPT_STR, OPT(images), NULL, 0, 0, "DIR",
     "folder of the images: a post's is DIR/ID.jpg where the file does not name it"},
    {"xml", 0, GM_OPT_STR, OPT(xml), NULL, 0, 0, "DIR",
     "folder of Pascal VOC boxes that belong to the posts, or of masks (ID.json: docs/formats.md)"},
    {"captions", 0, GM_OPT_STR, OPT(captions), NULL, 0, 0, "FILE",
     "image captions by post id (imgid:ID###caption)"},
    {"captions-short", 0, GM_OPT_STR, OPT(captions_short), NULL, 0, 0, "FILE",
     "the same, of one short sentence"},
    {"scheme", 0, GM_OPT_CHOICE, OPT(scheme), "bio", 0, 0, "bio|bioes",
     "convert, split: tags of a CoNLL output"},
    {"separator", 0, GM_OPT_CHOICE, OPT(separator), "tab", 0, 0, "tab|space",
     "convert, split: what stands between the columns of a CoNLL output"},
    {"image-prefix", 0, GM_OPT_STR, OPT(image_prefix), NULL, 0, 0, "PREFIX",
     "convert, select: what image addresses of a Label Studio output begin with, as "
     "/data/local-files/?d=photos/; the path below --images DIR or the output's folder follows"},
    {"masks", 0, GM_OPT_CHOICE, OPT(masks), "string", 0, 0, "string|counts|polygons",
     "convert: form of the masks in a COCO output"},
    {"pictures", 0, GM_OPT_CHOICE, OPT(pictures), "base64", 0, 0, "base64|path",
     "convert: pictures in OFA's rows: in the file, as its loaders want them, or as paths"},
    {"similarity", 0, GM_OPT_NUM, OPT(similarity), "0.8", 0.5, 1, "J",
     "check, select: posts are near-duplicates from this Jaccard similarity of their words on"},
    {"types", 0, GM_OPT_STR, OPT(types), NULL, 0, 0, "NAME,...",
     "check: the entity types that there are; without, a type is known that another of the files has"},
    {"svg", 0, GM_OPT_STR, OPT(svg), NULL, 0, 0, "FILE", "stats: draw them too"},
    {"by", 0, GM_OPT_CHOICE, OPT(by), "uncertainty", 0, 0, "uncertainty",
     "select: what makes a post worth annotating: the entropy of its spans' scores, added up"},
    {"pred", 0, GM_OPT_STR, OPT(pred), NULL, 0, 0, "FILE",
     "select: predictions to choose from (needed)"},
    {"known", 0, GM_OPT_STR, OPT(known), NULL, 0, 0, "FILE",
     "select: posts that are annotated already; they and their near-duplicates are left out"},
    {"n", 'n', GM_OPT_INT, OPT(n), NULL, 1, 1e9, "N", "select: how many posts (needed)"},
    {"output", 'o', GM_OPT_STR, OPT(output), "-", 0, 0, "FILE",
     "select: Label Studio tasks with the predictions in them; another format by name or --to"},
    {"parts", 0, GM_OPT_STR, OPT(parts), "train=0.8,dev=0.1,test=0.1", 0, 0, "NAME=SHARE,...",
     "split: the parts and their shares"},
    {"out-dir", 0, GM_OPT_STR, OPT(out_dir), NULL, 0, 0, "DIR",
     "split: folder of the parts' files (needed)"},
    {"seed", 0, GM_OPT_INT, OPT(seed), "0", 0, 9007199254740992.0, "N",
     "split: the same seed gives the same parts"},
    {"json", 0, GM_OPT_FLAG, OPT(json), NULL, 0, 0, NULL,
     "check, stats: print one line of JSON in place of a table"},
    {"all", 0, GM_OPT_FLAG, OPT(all), NULL, 0, 0, NULL,
     "check: show every finding, not the first 20 of each kind (--json has all)"},
    GM_OPTION_END,
};

const struct gm_command gm_cmd_data = {
    .name = "data",
    .summary = "convert, check, count, split annotated files, and select what to annotate next",
    .words = "convert|check|stats|split|select",
    .usage = "convert IN OUT | check FILE... | stats FILE | split FILE | select [options]",
    .about = "`convert` reads and writes every format of docs/formats.md; what the target can't "
             "hold is named and counted on standard error. `check` finds what breaks benchmarks; "
             "several files are taken for the splits of one benchmark and searched for leaks "
             "(status 3 with findings). `stats` counts posts, entities, types, boxes and lengths. "
             "`split` deals posts to parts so that types, grounding and length are alike in each. "
             "`select` takes the posts of a prediction file that are most worth annotating next.",
    .examples = "gmner data convert dev.txt dev.jsonl --xml xml --images images\n"
                "gmner data convert out.jsonl tasks.json --to labelstudio\n"
                "gmner data convert expanded.jsonl vg_train.tsv --to ofa-vg\n"
                "gmner data check train.txt dev.txt --xml xml\n"
                "gmner data stats train.txt --xml xml --svg stats.svg\n"
                "gmner data split all.jsonl --parts train=0.9,dev=0.1 --out-dir parts --seed 7\n"
                "gmner data select --by uncertainty --pred pred.jsonl -n 100 -o tasks.json\n",
    .options = options,
    .opts_size = sizeof(struct gm_data_opts),
    .min_args = 1,
    .max_args = 64,
    .run = run,
};
