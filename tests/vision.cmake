gm_test(vision_nanodet LINK gm_vision m)
gm_test(vision_prepared LINK gm_vision)
gm_test(vision_text LINK gm_vision m)
gm_test(vision_phrases LINK gm_vision m)
gm_test(vision_sam LINK gm_vision m)
# With this variable OpenVINO's TBB leaves out RTLD_DEEPBIND, which the sanitizers cannot live with.
foreach(test vision_session vision_clip vision_ocr vision_photos vision_shared)
  gm_test(${test} LINK gm_vision LABELS needs-model ENVIRONMENT TBB_ENABLE_SANITIZERS=1)
endforeach()
# The stage read beside RapidOCR on the shared photos (a quarter of an hour); skipped without them.
add_test(NAME ref/text_live WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
         COMMAND tests/ref/text_live.sh $<TARGET_FILE:gmner> .deps/models/ppocr
                 ../shared/data/tweets-with-images/images ${CMAKE_BINARY_DIR}/ref-text)
set_tests_properties(ref/text_live PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 3000 LABELS "long;needs-data"
                     RESOURCE_LOCK reference)
# bench/run.sh vision; tests/ref/vision_live.sh
add_executable(bench_vision ../bench/bench_vision.c)
target_link_libraries(bench_vision PRIVATE gm_vision gm_nn)
add_test(NAME ref/vision_live WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
         COMMAND tests/ref/vision_live.sh $<TARGET_FILE:bench_vision> $<TARGET_FILE:gmner> ${CMAKE_BINARY_DIR}/ref-vision)
set_tests_properties(ref/vision_live PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 1500 LABELS long
                     RESOURCE_LOCK reference)
# SAM beside transformers, with random models in every layout; skipped without PyTorch or the shared photos.
add_executable(test_sam_live unit/test_sam_live.c)
target_link_libraries(test_sam_live PRIVATE gm_vision gm_options PkgConfig::CMOCKA)
add_test(NAME ref/sam_live WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
         COMMAND tests/ref/sam_live.sh $<TARGET_FILE:test_sam_live> $<TARGET_FILE:gmner>
                 ../shared/data/tweets-with-images/images ${CMAKE_BINARY_DIR}/ref-sam)
set_tests_properties(ref/sam_live PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 1500 LABELS "long;needs-data"
                     RESOURCE_LOCK reference)
