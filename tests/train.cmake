gm_test(train_calibration LINK gm_train gm_model_tools)
gm_test(train_spellings LINK gm_train)
gm_test(low_rank LINK gm_model_tools)
