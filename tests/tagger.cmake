gm_test(tagger LINK gm_tagger)
gm_test(tagger_fine LINK gm_tagger)
gm_test(tagger_calibration LINK gm_tagger)
# bench/run.sh uncertainty
add_executable(bench_emissions EXCLUDE_FROM_ALL ../bench/bench_emissions.c)
target_link_libraries(bench_emissions PRIVATE gm_tagger)
