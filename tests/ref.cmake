# The live comparison with transformers. It makes .deps/venv first where PyTorch can be had (a
# minute or two, once), and is skipped where not.
add_executable(test_nn_live unit/test_nn_live.c)
target_link_libraries(test_nn_live PRIVATE gm_nn gm_options PkgConfig::CMOCKA)
add_test(NAME ref/nn_live WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
         COMMAND tests/ref/encoder_live.sh .deps/models/minilm ${CMAKE_BINARY_DIR}/ref
                 $<TARGET_FILE:test_nn_live>)
set_tests_properties(ref/nn_live PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 1500 LABELS long)
# The same for random models of the published shapes, the large one (1.2 GB) last and alone.
foreach(family bert-base roberta-base xlm-roberta-base minilm minilm-multilingual e5-small multilingual-e5-base
        camembert-base distilbert-base electra-small mpnet-base deberta-v3-base deberta-v2-own deberta-v2-groups
        deberta-v2-xlarge modernbert-base
        xlm-roberta-large)
  add_test(NAME ref/nn_live_${family} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
           COMMAND tests/ref/encoder_live.sh random:${family} ${CMAKE_BINARY_DIR}/ref-${family}
                   $<TARGET_FILE:test_nn_live>)
  set_tests_properties(ref/nn_live_${family} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 1500 LABELS long
                       RESOURCE_LOCK reference ENVIRONMENT OMP_WAIT_POLICY=passive)
endforeach()
# Taggers of others, of every family.
add_test(NAME ref/taggers_live WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
         COMMAND tests/ref/taggers_live.sh $<TARGET_FILE:gmner> $<TARGET_FILE:bench_emissions>
                 ${CMAKE_BINARY_DIR}/ref-taggers)
set_tests_properties(ref/taggers_live PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900 LABELS long RESOURCE_LOCK reference)
# Adapters beside peft.
add_executable(test_lora_live unit/test_lora_live.c)
target_link_libraries(test_lora_live PRIVATE gm_model gm_nn gm_options PkgConfig::CMOCKA)
add_test(NAME ref/lora_live WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
         COMMAND tests/ref/lora_live.sh $<TARGET_FILE:gmner> $<TARGET_FILE:test_lora_live> ${CMAKE_BINARY_DIR}/ref-lora)
set_tests_properties(ref/lora_live PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900 LABELS long RESOURCE_LOCK reference
                     ENVIRONMENT OMP_WAIT_POLICY=passive)
# Raw Chinese, Japanese and Thai with multilingual-e5-small, which is downloaded for it (91 MB).
add_test(NAME ref/unspaced_live WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
         COMMAND tests/ref/unspaced_live.sh $<TARGET_FILE:gmner> ${CMAKE_BINARY_DIR}/ref-unspaced)
set_tests_properties(ref/unspaced_live PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 1800 LABELS long RESOURCE_LOCK reference)
