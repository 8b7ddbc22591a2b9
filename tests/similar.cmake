gm_test(similar_search LINK gm_similar m)
set_tests_properties(unit/similar_search PROPERTIES ENVIRONMENT OMP_WAIT_POLICY=passive)
