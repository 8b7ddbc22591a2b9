/* openvino_api.h - the functions of OpenVINO's C library that sessions call, found at run time.
 * Internal to session_internal.h and openvino_api.c: nobody else may include it. */
#ifndef GM_VISION_OPENVINO_API_H
#define GM_VISION_OPENVINO_API_H

#include "base/status.h"

#include <openvino/c/openvino.h>
#include <stdbool.h>

#define GM_OPENVINO_FUNCTIONS(X)              \
    X(ov_core_create)                         \
    X(ov_core_free)                           \
    X(ov_core_set_property)                   \
    X(ov_core_read_model)                     \
    X(ov_core_compile_model)                  \
    X(ov_core_import_model)                   \
    X(ov_model_free)                          \
    X(ov_model_reshape_input_by_name)         \
    X(ov_model_inputs_size)                   \
    X(ov_model_const_input_by_index)          \
    X(ov_compiled_model_create_infer_request) \
    X(ov_compiled_model_export_model)         \
    X(ov_compiled_model_free)                 \
    X(ov_compiled_model_inputs_size)          \
    X(ov_compiled_model_input_by_index)       \
    X(ov_compiled_model_outputs_size)         \
    X(ov_compiled_model_output_by_index)      \
    X(ov_compiled_model_input_by_name)        \
    X(ov_compiled_model_output_by_name)       \
    X(ov_port_get_any_name)                   \
    X(ov_port_get_partial_shape)              \
    X(ov_port_get_element_type)               \
    X(ov_output_const_port_free)              \
    X(ov_infer_request_set_tensor)            \
    X(ov_infer_request_get_tensor)            \
    X(ov_infer_request_infer)                 \
    X(ov_infer_request_free)                  \
    X(ov_tensor_create)                       \
    X(ov_tensor_create_from_host_ptr)         \
    X(ov_tensor_get_shape)                    \
    X(ov_tensor_get_element_type)             \
    X(ov_tensor_data)                         \
    X(ov_tensor_free)                         \
    X(ov_shape_create)                        \
    X(ov_shape_free)                          \
    X(ov_partial_shape_create_static)         \
    X(ov_partial_shape_free)                  \
    X(ov_get_openvino_version)                \
    X(ov_version_free)                        \
    X(ov_get_error_info)                      \
    X(ov_get_last_err_msg)                    \
    X(ov_free)

struct gm_openvino_api {
#define GM_OPENVINO_FIELD(name) __typeof__(&name) name;
    GM_OPENVINO_FUNCTIONS(GM_OPENVINO_FIELD)
#undef GM_OPENVINO_FIELD
};

/* gm_openvino_open - fill *api from the library named by $GMNER_OPENVINO, else
 * .deps/openvino/lib/libopenvino_c.so under the program's home, else the system's. The library stays
 * open until the program ends (its threads outlive any session); opening it again is cheap.
 * Errors: MODEL, saying where it was looked for; NOMEM. */
enum gm_status gm_openvino_open(struct gm_openvino_api *api, struct gm_error *err) GM_NODISCARD;

/* gm_openvino_lacks_memory - whether the words of a failure of the runtime, or of loading it, mean that
 * memory or address space is out: it has no code for that. */
bool gm_openvino_lacks_memory(const char *words);

#endif
