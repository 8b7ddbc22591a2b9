# The scripted server that the client's tests and the bench talk to.
add_executable(scripted_server llm_server/scripted_server.c)
target_link_libraries(scripted_server PRIVATE gm_options)

gm_test(llm_json LINK gm_llm)
gm_test(llm_client LINK gm_llm)
foreach(test llm_client)
  set_tests_properties(unit/${test} PROPERTIES
    ENVIRONMENT GM_SCRIPTED_SERVER=$<TARGET_FILE:scripted_server> TIMEOUT 300)
  target_include_directories(test_${test} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  add_dependencies(test_${test} scripted_server)
endforeach()
