# The Python package (python/), by its own tests; where Python has no headers there is none.
if(TARGET gmner_python)
  add_test(NAME python/package COMMAND ${CMAKE_SOURCE_DIR}/python/tests/run.sh ${CMAKE_BINARY_DIR}/python)
  set_tests_properties(python/package PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 1200 LABELS e2e
    ENVIRONMENT "GMNER=$<TARGET_FILE:gmner>;GMNER_HOME=${CMAKE_SOURCE_DIR};XDG_CACHE_HOME=${CMAKE_BINARY_DIR}/cache;GM_SANITIZED=$<$<BOOL:${GM_SANITIZE}>:1>")
endif()
