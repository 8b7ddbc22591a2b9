gm_test(nn_encoder LINK gm_nn)
