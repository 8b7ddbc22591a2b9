gm_test(tagger LINK gm_tagger)
