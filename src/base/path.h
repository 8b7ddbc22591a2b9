/* path.h - paths of files as text, and where the program's own files are. What is returned lives in
 * the arena; NULL (a view: .p NULL) where memory is out. */
#ifndef GM_BASE_PATH_H
#define GM_BASE_PATH_H

#include "base/arena.h"

/* gm_path_join - "dir/name" with one slash between, or name alone when it is absolute or dir is
 * empty. */
char *gm_path_join(struct gm_arena *a, const char *dir, const char *name);

/* gm_path_below - "dir/name" in any case: a name that begins with a slash doesn't lead out of dir. An
 * empty dir adds nothing. The result is NUL-ended. */
struct gm_str gm_path_below(struct gm_arena *a, const char *dir, struct gm_str name);

/* gm_path_dir - the folder part of a path; "." when it has none. */
char *gm_path_dir(struct gm_arena *a, const char *path);

/* gm_path_file - the part behind the last slash: the end of `path` itself, so NUL-ended where that is. */
struct gm_str gm_path_file(struct gm_str path);

/* gm_path_absolute - a path that is right from the current folder, right from everywhere: as it is
 * where it is absolute or the current folder has no name, and else behind that, without "./" in front. The
 * result is NUL-ended. */
struct gm_str gm_path_absolute(struct gm_arena *a, struct gm_str path);

/* gm_user_path - `name` in the folder that the environment variable names, where that is absolute, else
 * in $HOME/below_home: "XDG_CACHE_HOME", ".cache" (XDG Base Directory Specification). NULL also where
 * neither variable is set. */
const char *gm_user_path(struct gm_arena *a, const char *variable, const char *below_home,
                         const char *name);

/* gm_home_path - path of a file or folder that comes with the program ("recipes/embedded.yaml",
 * "models"): under the host's home (base/host.h), else $GMNER_HOME, else under the folder of the program
 * (or of the shared library that holds this code) or share/gmner in that, else the same one to four folders
 * further up; whichever has it first. *path is NULL when none has. Errors: NOMEM. */
enum gm_status gm_home_path(struct gm_arena *a, const char *name, const char **path,
                            struct gm_error *err) GM_NODISCARD;

#endif
