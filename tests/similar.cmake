gm_test(similar_search LINK gm_similar m LABELS threads ENVIRONMENT OMP_WAIT_POLICY=passive)
gm_test(similar_cache LINK gm_similar LABELS threads)
gm_test(similar_pool LINK gm_similar m LABELS needs-model ENVIRONMENT OMP_WAIT_POLICY=passive)
# The whole of it beside transformers and NumPy; made and skipped as the encoders' (tests/ref.cmake).
add_test(NAME ref/similar_live WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
         COMMAND tests/ref/similar_live.sh $<TARGET_FILE:gmner> .deps/models/minilm ${CMAKE_BINARY_DIR}/ref-similar)
set_tests_properties(ref/similar_live PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 1500 LABELS long
                     RESOURCE_LOCK reference ENVIRONMENT GMNER_HOME=${CMAKE_SOURCE_DIR})
# bench/run.sh similar
add_executable(bench_similar EXCLUDE_FROM_ALL ../bench/bench_similar.c)
target_link_libraries(bench_similar PRIVATE gm_similar m)
add_executable(bench_index EXCLUDE_FROM_ALL ../bench/bench_index.c)
target_link_libraries(bench_index PRIVATE gm_similar gm_formats m)
