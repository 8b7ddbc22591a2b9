gm_test(ner_tagger LINK gm_train LABELS threads)
gm_test(ner_fine LINK gm_train LABELS threads)
gm_test(ner_spans LINK gm_ner)
gm_test(ner_policy LINK gm_ner)
# bench/run.sh uncertainty
add_executable(bench_emissions ../bench/bench_emissions.c)
target_link_libraries(bench_emissions PRIVATE gm_train)
