/* clocale.h - numbers with a point whatever the host's locale: a program that links the library may have
 * called setlocale, and a decimal comma is no JSON. */
#ifndef GM_BASE_CLOCALE_H
#define GM_BASE_CLOCALE_H

#include <locale.h>

/* gm_c_locale - this thread formats and reads numbers as the C locale does until
 * gm_c_locale_end, which takes what was returned. Cheap; other threads are not touched. */
locale_t gm_c_locale(void);
void gm_c_locale_end(locale_t before);

#endif
