#include "base/clocale.h"

#include <pthread.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static locale_t c_locale; /* made once, lives as long as the process */

static void make(void) { c_locale = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0); }

locale_t gm_c_locale(void)
{
    pthread_once(&once, make);
    return c_locale ? uselocale(c_locale) : (locale_t)0;
}

void gm_c_locale_end(locale_t before)
{
    if (before)
        uselocale(before);
}
