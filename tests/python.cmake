# The Python package (python/), by its own tests; where Python has no headers there is none. python/spark and
# python/ray: on a local Spark, and on a Ray cluster of two nodes on this machine, which their packages bring.
function(gm_python name)
  cmake_parse_arguments(ARG "" "" "LABELS;ENVIRONMENT;TESTS" ${ARGN})
  add_test(NAME python/${name} COMMAND ${CMAKE_SOURCE_DIR}/python/tests/run.sh ${CMAKE_BINARY_DIR}/python ${ARG_TESTS})
  set_tests_properties(python/${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 1800 LABELS "e2e;${ARG_LABELS}"
    ENVIRONMENT "GMNER=$<TARGET_FILE:gmner>;GMNER_HOME=${CMAKE_SOURCE_DIR};XDG_CACHE_HOME=${CMAKE_BINARY_DIR}/cache;${ARG_ENVIRONMENT}")
endfunction()

if(TARGET gmner_python AND GM_SANITIZE)
  gm_python(package ENVIRONMENT GM_SANITIZED=1)
elseif(TARGET gmner_python AND NOT GM_TSAN)
  gm_python(package)
  gm_python(spark LABELS long ENVIRONMENT GM_LISTS=spark TESTS ${CMAKE_SOURCE_DIR}/python/tests/long/test_spark.py)
  gm_python(ray LABELS long ENVIRONMENT GM_LISTS=ray;RAY_raylet_start_wait_time_s=300;RAY_worker_niceness=0 TESTS ${CMAKE_SOURCE_DIR}/python/tests/long/test_ray.py)
endif()
