#include "train/train_folder.h"

#include "base/log.h"
#include "model/folder.h"

#include <string.h>

enum gm_status gm_train_folder_pick(const char *model, bool resume, bool overwrite,
                                    struct gm_arena *a, const char **dir, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_model_folder f;
    *dir = model;
    GM_TRY(gm_model_folder_look(&f, model, a, err));
    if (resume && f.aside_run)
        *dir = f.aside;
    else if (resume && f.model && !f.run && !f.checkpoint)
        st = GM_FAIL(
            err, GM_EARG,
            "%s: a model, but not of a run that could go on (no " GM_MODEL_RUN "); "
            "--overwrite trains one in its place, and --encoder %s goes on from its weights",
            model, model);
    else if (!resume && !overwrite)
        st = gm_model_folder_refuse(
            &f, model,
            "--resume goes on with its run, --overwrite begins one that takes its place when it is "
            "done",
            err);
    else if (overwrite && (f.model || f.aside_used)) {
        *dir = f.model ? f.aside : model;
        st = gm_model_folder_clear(f.aside, err);
    }
done:
    return st;
}

enum gm_status gm_train_folder_finish(const char *dir, const char *model, struct gm_error *err)
{
    if (strcmp(dir, model) == 0)
        return GM_OK;
    enum gm_status st = gm_model_folder_move(dir, model, err);
    if (st == GM_OK)
        GM_LOG(GM_LOG_INFO, "train", "moved %s to %s, in place of the old model", dir, model);
    return st;
}
