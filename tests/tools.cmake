# The set-up's scripts, tested with Python's standard library; needs no network.
add_test(NAME tools/packages COMMAND ${GM_PYTHON} -B tools/test_packages.py
         WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
add_test(NAME tools/tfjs_to_onnx COMMAND ${GM_PYTHON} -B tools/test_tfjs_to_onnx.py
         WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
add_test(NAME tools/lint COMMAND ${GM_PYTHON} -B tools/test_lint.py
         WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
add_test(NAME tools/run_tests COMMAND ${GM_PYTHON} -B tools/test_run_tests.py
         WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
add_test(NAME tools/discover COMMAND ${GM_PYTHON} -B tools/test_discover.py
         WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
add_test(NAME tools/docs COMMAND ${GM_PYTHON} -B tools/test_docs.py
         WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
set_tests_properties(tools/discover tools/docs tools/lint tools/packages tools/run_tests tools/tfjs_to_onnx PROPERTIES TIMEOUT 120 LABELS fast)
