/* What the tests of src/record, src/formats and src/eval share: statuses, files written on the spot. */
#ifndef GM_TEST_DATA_H
#define GM_TEST_DATA_H

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "formats/reader.h"

/* The status, with the message when it is not the one wanted. */
#define assert_status(call, want, err)                                                      \
    do {                                                                                    \
        enum gm_status st_ = (call);                                                        \
        if (st_ != (want))                                                                  \
            fail_msg("status %s, wanted %s: %s", gm_status_name(st_), gm_status_name(want), \
                     st_ == GM_OK ? "" : (err)->msg);                                       \
    } while (0)

#define leak_checked(test) cmocka_unit_test_setup_teardown(test, NULL, no_leak)

/* Write `text` to a fresh temporary file and give its path, valid until the next call. */
static inline const char *temp_file_bytes(const char *text, size_t n)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/gmner-test-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    while (n) {
        ssize_t k = write(fd, text, n);
        assert_true(k > 0);
        text += k;
        n -= (size_t)k;
    }
    close(fd);
    return path;
}

static inline const char *temp_file(const char *text)
{
    return temp_file_bytes(text, strlen(text));
}

#endif
