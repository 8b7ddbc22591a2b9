/* An example of gmner inside of another program: a post a line from standard input, a record a line
 * to standard output. `embed RECIPE`; run by tests/e2e/test_embed.py. */
#include <gmner/gmner.h>

#include <locale.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    struct gm_predictor *p;
    const char *record;
    char line[65536], why[512];
    int failed = 0;
    setlocale(LC_ALL, ""); /* as programs with windows do: numbers may have a comma then */
    if (gm_predictor_open(&p, argc > 1 ? argv[1] : NULL, why, sizeof why) != 0) {
        fprintf(stderr, "%s\n", why);
        return 2;
    }
    while (fgets(line, sizeof line, stdin)) {
        if (gm_predictor_run(p, line, &record, why, sizeof why) == 0) {
            puts(record);
        } else {
            fprintf(stderr, "%s\n", why);
            failed = 1;
        }
    }
    gm_predictor_free(p);
    return failed;
}
