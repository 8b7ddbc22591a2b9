# The set-up's scripts and those of development, tested with Python's standard library; needs no network.
foreach(test coverage discover docs lint packages run_tests tfjs_to_onnx)
  add_test(NAME tools/${test} COMMAND ${GM_PYTHON} -B tools/test_${test}.py WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  set_tests_properties(tools/${test} PROPERTIES TIMEOUT 120 LABELS fast)
endforeach()
