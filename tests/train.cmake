gm_test(train_calibration LINK gm_train gm_model_tools)
