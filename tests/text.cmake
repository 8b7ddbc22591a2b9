gm_test(text_segment LINK gm_text)
gm_test(text_cut LINK gm_text)
gm_test(text_parts LINK gm_text)
gm_test(text_mend LINK gm_text)
# The inverse of the segmentation: tools/detokenise.py.
add_test(NAME tools/detokenise COMMAND ${GM_PYTHON} -B tools/test_detokenise.py
         WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
set_tests_properties(tools/detokenise PROPERTIES TIMEOUT 120 LABELS fast)
