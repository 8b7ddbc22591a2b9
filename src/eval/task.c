/* The names of tasks and rules, and what each task compares. */
#include "eval/eval.h"

#include <string.h>

static const struct {
    const char *name;
    bool types, image;
    enum gm_rule rule; /* the usual one */
} tasks[] = {
    [GM_TASK_MNER] = {"mner", true, false, GM_RULE_EXACT},
    [GM_TASK_SPAN] = {"span", false, false, GM_RULE_EXACT},
    [GM_TASK_EEG] = {"eeg", false, true, GM_RULE_RIVEG},
    [GM_TASK_GMNER] = {"gmner", true, true, GM_RULE_RIVEG},
    [GM_TASK_FMNERG] = {"fmnerg", true, true, GM_RULE_RIVEG},
    [GM_TASK_SMNER] = {"smner", true, true, GM_RULE_RIVEG},
    [GM_TASK_CCKS] = {"ccks", true, true, GM_RULE_CCKS},
};

static const char *const rules[] = {"exact", "riveg", "set", "optimal", "ccks", "refineg"};

bool gm_task_parse(const char *name, enum gm_task *out)
{
    for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++)
        if (strcmp(tasks[i].name, name) == 0) {
            *out = (enum gm_task)i;
            return true;
        }
    return false;
}

const char *gm_task_name(enum gm_task t) { return tasks[t].name; }

bool gm_rule_parse(const char *name, enum gm_rule *out)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (strcmp(rules[i], name) == 0) {
            *out = (enum gm_rule)i;
            return true;
        }
    return false;
}

bool gm_box_pick_parse(const char *name, enum gm_box_pick *out)
{
    static const char *const names[] = {"", "best", "last", "any"};
    for (size_t i = 1; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0) {
            *out = (enum gm_box_pick)i;
            return true;
        }
    return false;
}

bool gm_rule_picks_box(enum gm_rule r)
{
    return r == GM_RULE_RIVEG || r == GM_RULE_SET || r == GM_RULE_OPTIMAL;
}

const char *gm_rule_name(enum gm_rule r) { return rules[r]; }

bool gm_task_has_types(enum gm_task t) { return tasks[t].types; }

bool gm_task_has_image(enum gm_task t) { return tasks[t].image; }

struct gm_str gm_task_type(enum gm_task t, const struct gm_entity *e)
{
    struct gm_str type = t == GM_TASK_FMNERG ? e->fine_type : e->type;
    return type.n ? type : GM_STR("(none)");
}

struct gm_eval_opts gm_eval_opts_default(enum gm_task task)
{
    return (struct gm_eval_opts){.task = task, .rule = tasks[task].rule, .iou = 0.5};
}
