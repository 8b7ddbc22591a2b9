/* thoughts.h - what a model thinks aloud before its answer. Cut once, where a reply is read
 * (message.c), so that nothing behind that ever takes a thought for an answer. */
#ifndef GM_LLM_THOUGHTS_H
#define GM_LLM_THOUGHTS_H

#include "base/str.h"

#include <stdbool.h>

/* gm_thoughts_cut - make *text what stands behind the thoughts: behind the last closing mark of any
 * known kind (<think>, <thinking>, [THINK], …), or the final channel of the harmony format. False
 * when the thoughts never end: there is no answer, and *text is empty. Cost: linear. */
bool gm_thoughts_cut(struct gm_str *text);

#endif
