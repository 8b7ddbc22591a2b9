/* run_schema.h - the tables of a run folder, for run.c (writes), run_show.c and merge.c (read). */
#ifndef GM_PIPELINE_RUN_SCHEMA_H
#define GM_PIPELINE_RUN_SCHEMA_H

#include "base/arena.h"
#include "base/store.h"

enum { GM_RUN_VERSION = 1 };

/* result.why: new (the post's first result of the stage), failed (again after a failure), settings
 * (another configuration than before), input (an earlier stage, the text or the image changed).
 * result.times counts how often the same result was computed. */
#define GM_RUN_SCHEMA                                                                           \
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;"                       \
    "CREATE TABLE session (id INTEGER PRIMARY KEY, started TEXT, ended TEXT, how TEXT, recipe " \
    "TEXT);"                                                                                    \
    "CREATE TABLE config (id INTEGER PRIMARY KEY, stage TEXT, hash TEXT, text TEXT, "           \
    "UNIQUE (stage, hash));"                                                                    \
    "CREATE TABLE session_stage (session INTEGER, place INTEGER, stage TEXT, config INTEGER, "  \
    "reused INTEGER DEFAULT 0, PRIMARY KEY (session, place)) WITHOUT ROWID;"                    \
    "CREATE TABLE result (post TEXT, stage TEXT, config INTEGER, input TEXT, state TEXT, "      \
    "error TEXT, why TEXT, session INTEGER, times INTEGER DEFAULT 1, "                          \
    "UNIQUE (post, stage, config, input));"                                                     \
    "CREATE TABLE output (pos INTEGER PRIMARY KEY, post TEXT, record TEXT, image TEXT, "        \
    "error TEXT);"

/* gm_run_path - DIR/store.sqlite; NULL when memory is out. */
const char *gm_run_path(struct gm_arena *a, const char *dir);
/* gm_run_read - open the store of an existing run folder. Errors: IO (it is none), FORMAT, NOMEM. */
enum gm_status gm_run_read(struct gm_store **out, const char *dir,
                           struct gm_error *err) GM_NODISCARD;

#endif
