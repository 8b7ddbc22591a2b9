# The scripted server that the client's tests and the bench talk to.
add_executable(scripted_server llm_server/scripted_server.c)
target_link_libraries(scripted_server PRIVATE gm_options)

gm_test(llm_json LINK gm_llm)
gm_test(llm_prompt LINK gm_llm)
gm_test(llm_message LINK gm_llm)
gm_test(llm_client LINK gm_llm)
gm_test(llm_faults LINK gm_llm LABELS slow)
gm_test(llm_local LINK gm_llm LABELS needs-model)
gm_test(stages_coords LINK gm_stages)
gm_test(stages_llm LINK gm_stages)
foreach(test llm_prompt llm_client llm_faults stages_llm)
  set_tests_properties(unit/${test} PROPERTIES
    ENVIRONMENT "GM_SCRIPTED_SERVER=$<TARGET_FILE:scripted_server>;GMNER_HOME=${CMAKE_SOURCE_DIR}" TIMEOUT 300)
  target_include_directories(test_${test} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  add_dependencies(test_${test} scripted_server)
endforeach()
gm_e2e(recipes_llm LABELS needs-model)
