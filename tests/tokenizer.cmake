gm_test(tokenizer LINK gm_tokenizer)
add_test(NAME ref/tokenizers_live WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
         COMMAND tests/ref/tokenizers_live.sh ${CMAKE_BINARY_DIR}/ref-tokenizers
                 $<TARGET_FILE:test_tokenizer>)
set_tests_properties(ref/tokenizers_live PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 1500 LABELS long
                     RESOURCE_LOCK reference)
gm_e2e(encoders)
add_test(NAME ref/layouts_live WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
         COMMAND tests/ref/layouts_live.sh ${CMAKE_BINARY_DIR}/ref-layouts $<TARGET_FILE:test_tokenizer>)
set_tests_properties(ref/layouts_live PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900 LABELS long RESOURCE_LOCK reference)
