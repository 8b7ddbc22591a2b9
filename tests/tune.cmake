gm_test(tune_logistic LINK gm_tune m)
gm_test(tune_threshold LINK gm_tune m)
gm_test(tune_fusion LINK gm_tune m)
