/* format_table.h - the formats, a row each: all lists of them (numbers, names, the choices of --from and
 * --to, the rows of functions) come from here. docs/formats.md describes each. What else a format is
 * stands in its own file, as a struct gm_format_row (format.h). */
#ifndef GM_FORMATS_FORMAT_TABLE_H
#define GM_FORMATS_FORMAT_TABLE_H

/* GM_FORMAT_number, gm_format_row_row, the name; whether it is a choice of --from, and of --to. Of several
 * that a file's beginning fits alike, the first here is guessed. */
#define GM_FORMATS(ROW)                                                                          \
    ROW(JSONL, jsonl, "jsonl", YES, YES)                                                         \
    ROW(JSON, json, "json", YES, NO) /* records over several lines, or an array of them */       \
    ROW(CONLL, conll, "conll", YES, YES)                                                         \
    ROW(TEXT, text, "text", YES, NO)  /* plain text, a post a line */                            \
    ROW(CSV, csv, "csv", YES, NO)     /* a table with a line of names */                         \
    ROW(VOC, voc, "voc", YES, YES)    /* a folder of Pascal VOC XML */                           \
    ROW(CCKS, ccks, "ccks", YES, YES) /* CCKS-2025's entity file; the text file reads so too */  \
    ROW(COCO, coco, "coco", YES, YES)                                                            \
    ROW(LABELSTUDIO, labelstudio, "labelstudio", YES, YES)                                       \
    ROW(RIVEG, riveg, "riveg", YES, YES)   /* RiVEG's text lines; read alike, in three shapes */ \
    ROW(PGIM, pgim, "pgim", YES, NO)       /* samples: id, then knowledge or entities */         \
    ROW(FMNERG, fmnerg, "fmnerg", NO, YES) /* CoNLL with coarse and fine tags; read as conll */  \
    ROW(CCKS_TEXT, ccks_text, "ccks-text", NO, YES)                                              \
    ROW(RIVEG_PRED, riveg_pred, "riveg-pred", NO, YES)                                           \
    ROW(RIVEG_VE, riveg_ve, "riveg-ve", NO, YES)                                                 \
    ROW(RIVEG_VG, riveg_vg, "riveg-vg", NO, YES)                                                 \
    ROW(OFA_VE, ofa_ve, "ofa-ve", YES, YES) /* rows of OFA's entailment, of its grounding */     \
    ROW(OFA_VG, ofa_vg, "ofa-vg", YES, YES)

#define GM_FORMAT_NUMBER(number, row, name, from, to) GM_FORMAT_##number,
enum gm_format { GM_FORMAT_AUTO, GM_FORMATS(GM_FORMAT_NUMBER) };
#undef GM_FORMAT_NUMBER

#define GM_FORMAT_ONE(number, row, name, from, to) +1
enum { GM_FORMATS_N = 1 GM_FORMATS(GM_FORMAT_ONE) }; /* with AUTO */
#undef GM_FORMAT_ONE

/* Names of the formats that are read, and of those that are written, as the choices of an option. */
#define GM_FORMAT_IF_YES(name) "|" name
#define GM_FORMAT_IF_NO(name) ""
#define GM_FORMAT_FROM(number, row, name, from, to) GM_FORMAT_IF_##from(name)
#define GM_FORMAT_TO(number, row, name, from, to) GM_FORMAT_IF_##to(name)
#define GM_READABLE_FORMATS "auto" GM_FORMATS(GM_FORMAT_FROM)
#define GM_WRITABLE_FORMATS "auto" GM_FORMATS(GM_FORMAT_TO)

#endif
