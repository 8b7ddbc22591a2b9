gm_test(text_tokenizer LINK gm_text)
add_test(NAME ref/tokenizers_live WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
         COMMAND tests/ref/tokenizers_live.sh ${CMAKE_BINARY_DIR}/ref-tokenizers
                 $<TARGET_FILE:test_text_tokenizer>)
set_tests_properties(ref/tokenizers_live PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 1500 LABELS slow
                     RESOURCE_LOCK reference)
gm_e2e(encoders)
gm_test(text_segment LINK gm_text)
# The inverse of the segmentation: tools/detokenise.py.
add_test(NAME tools/detokenise COMMAND ${GM_PYTHON} -B tools/test_detokenise.py
         WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
set_tests_properties(tools/detokenise PROPERTIES TIMEOUT 120 LABELS fast)
