/* fingerprint.h - what results depend on: the content of files, one "NAME=SHA-256" a line. */
#ifndef GM_BASE_FINGERPRINT_H
#define GM_BASE_FINGERPRINT_H

#include "base/buf.h"
#include "base/sha256.h"

/* gm_fingerprint_model - lines "NAME/FILE=SHA-256" for every file of the model's folder but its card, in
 * order of name; of an ensemble then the same of its members. gm_fingerprint_file - the line "KEY=SHA-256" of one file.
 * Errors: MODEL, IO, NOMEM. Cost: reads the files whole. */
enum gm_status gm_fingerprint_model(const char *model, struct gm_buf *out,
                                    struct gm_error *err) GM_NODISCARD;
enum gm_status gm_fingerprint_file(const char *key, const char *path, struct gm_buf *out,
                                   struct gm_error *err) GM_NODISCARD;

/* gm_fingerprint_network - gm_fingerprint_file of the file of a network, and a line "KEY/FILE=SHA-256" for each file
 * beside it that holds its weights: the .bin of an OpenVINO .xml, and what an .onnx names as its external
 * data, in that order. One that is missing has no line: the network can't be loaded then. Errors: those. */
enum gm_status gm_fingerprint_network(const char *key, const char *path, struct gm_buf *out,
                                      struct gm_error *err) GM_NODISCARD;

/* gm_fingerprint_sample - the SHA-256 of a large file's length, its first 8 MiB and 64 blocks of 64 KiB
 * spread evenly over it, the last at its end (of all of it, where it is no larger than that): the same for a copy, and
 * different for another model, without reading it whole. Errors: IO, NOMEM. */
enum gm_status gm_fingerprint_sample(const char *path, char hex[GM_SHA256_HEX],
                                     struct gm_error *err) GM_NODISCARD;

#endif
