gm_test(tagger LINK gm_tagger)
gm_test(tagger_fine LINK gm_tagger)
gm_test(tagger_calibration LINK gm_tagger)
