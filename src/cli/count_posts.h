/* count_posts.h - how many posts a file has, for a progress bar with an end. */
#ifndef GM_CLI_COUNT_POSTS_H
#define GM_CLI_COUNT_POSTS_H

#include "formats/reader.h"

/* gm_count_posts - roughly the number of posts in a regular file, without reading any: lines of JSON
 * Lines, text and tables, blocks of CoNLL. 0 = unknown (a pipe, another format or AUTO, an unreadable file). Cost:
 * reads the file once. */
size_t gm_count_posts(const char *path, enum gm_format format);

#endif
