# Writes ${CASES}, which ctest includes: a case ${NAME}/FUNCTION for each test function that ${PROGRAM} lists
# (tests/unit/unit.h), with the ${LABELS}, ${ENVIRONMENT} and ${TIMEOUT} of gm_test. Run after each link.
set(ENV{GM_TEST_LIST} 1)
set(ENV{ASAN_OPTIONS} detect_leaks=0)
execute_process(COMMAND ${PROGRAM} WORKING_DIRECTORY ${HOME} TIMEOUT 60
  OUTPUT_VARIABLE listed ERROR_VARIABLE said RESULT_VARIABLE status)
string(REGEX MATCHALL "test: [^\n]+" lines "${listed}")
if(NOT status EQUAL 0 OR NOT lines)
  message(FATAL_ERROR "${PROGRAM} with GM_TEST_LIST set doesn't list its tests (status ${status}): ${said}")
endif()
set(text "")
foreach(line IN LISTS lines)
  string(SUBSTRING "${line}" 6 -1 function)
  set(case "[==[${NAME}/${function}]==]")
  string(APPEND text "add_test(${case} \"${PROGRAM}\")\n"
    "set_tests_properties(${case} PROPERTIES WORKING_DIRECTORY \"${HOME}\" SKIP_RETURN_CODE 77 TIMEOUT ${TIMEOUT}\n"
    "  LABELS \"${LABELS}\" ENVIRONMENT \"GM_TEST=${function};${ENVIRONMENT}\")\n")
endforeach()
file(WRITE ${CASES} "${text}")
