/* encoder_names.h - what each family of text encoders calls its tensors. */
#ifndef GM_NN_ENCODER_NAMES_H
#define GM_NN_ENCODER_NAMES_H

/* What a family calls its tensors. Names of a layer stand behind `layer`, in which %zu is its number; each
 * is a weight and a bias. NULL: the family has no such tensor. */
struct gm_encoder_names {
    const char *word, *position, *type, *norm; /* of the embeddings; norm without .weight */
    const char *project;                       /* from a narrower embedding to the layers' width */
    const char *layer;
    const char *q, *k, *v, *qkv; /* qkv: the three in one tensor */
    const char *out, *norm1, *up, *down, *norm2;
    const char *final_norm;             /* behind the last layer */
    const char *table, *rel, *rel_norm; /* of distances */
    const char *rel_k, *rel_q;    /* their projections in a layer, where not shared with k and q */
    const char *conv, *conv_norm; /* beside the first layer */
};

/* BERT's are also those of RoBERTa, XLM-R, CamemBERT and ELECTRA. */
extern const struct gm_encoder_names gm_names_bert, gm_names_distilbert, gm_names_mpnet,
    gm_names_deberta, gm_names_modernbert;

#endif
