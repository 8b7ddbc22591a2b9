/* train.h - fitting models: `gmner train`. */
#ifndef GM_TRAIN_TRAIN_H
#define GM_TRAIN_TRAIN_H

#include "model/net.h"

#include <stdbool.h>
#include <stdint.h>

/* Settings of a training run; strings are borrowed. */
struct gm_train_opts {
    const char *task; /* "ner", "entail" */
    const char *train,
        *dev; /* files of posts (posts.h); dev NULL = no evaluation, the last epoch wins */
    const char *encoder;  /* directory, or name of a packaged model ("minilm") */
    const char *out;      /* directory that the run writes its files to (train_folder.h) */
    const char *model;    /* where the model will be in the end, for messages */
    const char *xml;      /* entail: Pascal VOC boxes of the posts' images */
    const char *captions; /* entail: "imgid:ID###caption" files, of train and dev */
    const char *dev_captions;
    const char *precision; /* auto, f32, bf16 */
    const char *scheme;    /* ner: bio, bioes */
    const char *fine_file; /* ner: the training posts with fine types, as helper; NULL = none */
    double fine_weight;    /* ner: of the fine types' loss; 0 = fine types are not looked at */
    const char *teacher;   /* ner: model directory of a tagger to learn from; NULL = none */
    double teacher_weight; /* ner: its share of the loss */
    const char *pooling;   /* ner: a word's state: mean of its pieces' or the first one's */
    bool case_features;    /* ner: a word's case is told to the encoder */
    bool knowledge; /* ner: read the posts' knowledge; a teacher reads it as it was trained */
    const char
        *words; /* how raw text is cut: auto (as the training data is), or a name of text/cut.h */
    bool name_parts;  /* ner: hashtags and handles are read in their parts (model/pack.h) */
    double spellings; /* ner: share of the posts that an epoch spells as tweets do (spellings.h) */
    size_t epochs;
    size_t patience; /* stop after so many epochs without a better one; 0 = never */
    size_t batch_posts, batch_tokens;
    size_t accumulate;          /* batches a step */
    double lr, head_lr, crf_lr; /* peak rates of encoder; heads and case embeddings; CRF */
    const char *schedule;       /* after warm-up: linear or cosine (to 0), constant */
    double warmup;              /* share of the steps */
    double weight_decay, clip_norm;
    double average;      /* decay a step of the averaged weights; 0 = no average */
    double word_dropout; /* share of pieces that become [UNK] in training */
    struct gm_net_tuning net;
    double checkpoint_minutes; /* time between checkpoints within an epoch; 0 = none there */
    bool resume;               /* go on with the run in `out`, if one was cut short */
    uint64_t seed;
};

/* gm_train_opts_default - a good start for the tagger; gm_train_opts_entail - for entailment. */
struct gm_train_opts gm_train_opts_default(void);
struct gm_train_opts gm_train_opts_entail(void);

/* gm_train_opts_read - overwrite what a YAML mapping (as JSON) names; docs/training.md lists the
 * settings. Strings are borrowed from `j`. Errors: ARG naming key and range. */
enum gm_status gm_train_opts_read(struct gm_train_opts *o, const struct gm_json *j,
                                  const char *path, struct gm_error *err) GM_NODISCARD;

/* gm_train_opts_check - whether the run would read all that was set: nothing of the other task, of adapters where
 * there are none, and no pipe, as files are read more than once. Errors: ARG naming the setting. */
enum gm_status gm_train_opts_check(const struct gm_train_opts *o,
                                   struct gm_error *err) GM_NODISCARD;

/* gm_train_opts_json - the settings that shaped the weights, as written in gmner.json: without files and
 * folders, but for the encoder as it was given. NULL when memory is out. */
struct gm_json *gm_train_opts_json(const struct gm_train_opts *o);

/* gm_train_opts_identity - the same with the SHA-256 of each file and of the teacher, and the folders as they
 * were given: what a run that is resumed must have in common with its beginning. *out is yours.
 * Errors: IO, NOMEM. */
enum gm_status gm_train_opts_identity(const struct gm_train_opts *o, struct gm_json **out,
                                      struct gm_error *err) GM_NODISCARD;

/* gm_train_opts_yaml - append all settings, files and folders as they were given, as YAML that
 * gm_train_opts_read reads: the same run again. Errors: NOMEM. */
enum gm_status gm_train_opts_yaml(const struct gm_train_opts *o, struct gm_buf *out,
                                  struct gm_error *err) GM_NODISCARD;

/* gm_train_ner, gm_train_entail - train and write the model directory of the best epoch (by dev F1, of
 * fine types where dev has some; by dev AUC, the mean of that with captions and that without where dev has
 * some). Deterministic for a seed on one kind of machine, precision and thread count.
 * Progress and one line an epoch go to the log, and as JSON to OUT/metrics.jsonl; OUT/config.yaml has
 * the resolved settings, and OUT/checkpoint.safetensors the state of a run that is not finished.
 * Errors: IO, FORMAT, MODEL, ARG, NOMEM; SHAPE when the loss is no longer finite; CANCEL when a stop was
 * asked for (base/stop.h), with a checkpoint written. */
enum gm_status gm_train_ner(const struct gm_train_opts *o, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_train_entail(const struct gm_train_opts *o, struct gm_error *err) GM_NODISCARD;

/* gm_tagger_calibrate - fit what turns marginal probabilities into scores (model/calibration.h) on the gold
 * entities of a file, and write it into the model directory's gmner.json, with calibration errors before and
 * after; they also go to the log. An entity is right when its ends and type are. Nothing is written, with a
 * warning, where the tagger or the file has no entity. Errors: as gm_tagger_load and gm_tagger_predict; of
 * reading (path:line); IO. */
enum gm_status gm_tagger_calibrate(const char *dir, const char *posts,
                                   struct gm_error *err) GM_NODISCARD;

/* gm_entail_calibrate - the same of the classifier: a probability of yes becomes the share of such entities that
 * are visible, for entities with and without a caption of their own. `xml` and `captions` as gm_train_opts has
 * them; NULL = what the posts themselves have. Errors: as gm_entail_load and gm_train_entail. */
enum gm_status gm_entail_calibrate(const char *dir, const char *posts, const char *xml,
                                   const char *captions, struct gm_error *err) GM_NODISCARD;

/* gm_model_calibrate - that one of the two which the model's gmner.json asks for; without one it is somebody's
 * tagger. */
enum gm_status gm_model_calibrate(const char *dir, const char *posts,
                                  struct gm_error *err) GM_NODISCARD;

#endif
