/* home_file.h - a file of YAML that comes with the program, by its name, or the user's own, by its path. */
#ifndef GM_BASE_HOME_FILE_H
#define GM_BASE_HOME_FILE_H

#include "base/arena.h"
#include "base/status.h"

/* A folder of such files under the program's home, and what one is called in messages. */
struct gm_home_files {
    const char *folder; /* "recipes", "recipes/train" */
    const char *kind;   /* "recipe" */
};

/* gm_home_file_find - *path of the file that `which` names: `which` itself where it has a "/" or ends in .yaml or
 * .yml, else FOLDER/WHICH.yaml of the program's home (gm_home_path). *path lives in the arena or is `which`; that
 * there is a file is checked for a name alone. Errors: ARG (no such name: those that there are), IO (the program has
 * no such folder), NOMEM. */
enum gm_status gm_home_file_find(struct gm_arena *a, const struct gm_home_files *files,
                                 const char *which, const char **path,
                                 struct gm_error *err) GM_NODISCARD;

#endif
